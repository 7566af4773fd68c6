import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import test from 'node:test';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
import { disassemble } from '../../src/kernel/program/disassemble.ts';
import type { ProgramImage } from '../../src/kernel/program/image.ts';
import { readInstruction } from '../../src/kernel/program/instruction.ts';
import { calleesOf, Listing } from '../../src/kernel/program/listing.ts';
import { Source } from '../../src/kernel/program/source.ts';
import { KernelSymbols } from '../../src/kernel/program/symbols.ts';
import { instructionText } from '../../src/kernel/program/text.ts';
import type { ProgramInfo } from '../../src/model/schema/program-info.ts';
import { assembleRaw, type RawInstruction } from '../support/programs.ts';
import { random, testSeed } from '../support/seed.ts';
import { tempDir } from '../support/temp-dir.ts';

const seed = testSeed();

function words(...instructions: readonly RawInstruction[]): string {
  return disassemble(readInstruction(assembleRaw(instructions), 0), 'CALLED');
}

/** What no program loaded here can be made to have; from kernel/bpf/disasm.c of Linux 6.18. */
const written: readonly (readonly [RawInstruction, string])[] = [
  [{ code: 0x20, imm: 14 }, '(20) r0 = *(u32 *)skb[14]'],
  [{ code: 0x48, src: 3, imm: 2 }, '(48) r0 = *(u16 *)skb[r3 + 2]'],
  [{ code: 0xbf, dst: 1, src: 2, off: 1, imm: 0x10000 }, '(bf) r1 = addr_space_cast(r2, 1, 0)'],
  [{ code: 0xbf, dst: 1, src: 2, off: 1, imm: 1 }, '(bf) r1 = addr_space_cast(r2, 0, 1)'],
  [{ code: 0xe5, off: -3 }, '(e5) may_goto pc-3'],
  [{ code: 0x0d, dst: 4 }, '(0d) gotox r4'],
  [{ code: 0xc2 }, '(c2) nospec'],
  [{ code: 0x76, dst: 1, imm: -1, off: 7 }, '(76) if w1 s>= 0xffffffff goto pc+7'],
  [{ code: 0xdd, dst: 1, src: 2, off: -1 }, '(dd) if r1 s<= r2 goto pc-1'],
  [{ code: 0x85, imm: 3 }, '(85) call CALLED'],
  [{ code: 0xc3, dst: 1, src: 2, off: 4, imm: 0x50 }, '(c3) lock *(u32 *)(r1 +4) &= r2'],
  [{ code: 0xdb, dst: 1, src: 2, imm: 0x41 }, '(db) r2 = atomic64_fetch_or((u64 *)(r1 +0), r2)'],
  [{ code: 0xdb, dst: 1, src: 2, imm: 0x77 }, 'BUG_db'],
  [{ code: 0x18, dst: 1 }, 'BUG_18'],
  [{ code: 0x84 | 0x60, dst: 1 }, 'BUG_e4'],
  [{ code: 0x99, dst: 1 }, 'BUG_99'],
  [{ code: 0xf5 }, 'BUG_f5'],
];

for (const [instruction, text] of written) {
  test(`${text} is written as the verifier writes it`, () => assert.equal(words(instruction), text));
}

test('a 64-bit constant says what it stands for', () => {
  const constant = (src: number): string => words({ code: 0x18, dst: 2, src, imm: 7 }, { code: 0, imm: -1 });
  assert.equal(constant(0), '(18) r2 = 0xffffffff00000007');
  assert.equal(constant(1), '(18) r2 = map[id:7]');
  assert.equal(constant(2), '(18) r2 = map[id:7][0]+4294967295');
  assert.equal(constant(4), '(18) r2 = subprog[+7]');
  assert.equal(constant(6), '(18) r2 = map[idx:7]+4294967295');
});

const info: ProgramInfo = {
  kind: 'program',
  id: 7,
  type: 'xdp',
  name: 'pf_x',
  tag: '00'.repeat(8),
  jited: true,
};

/** One function `int f(int a)`, with names that try to forge lines. */
function smallBtf() {
  const strings = Buffer.from('\0int\0f\0a\0return 0;\n   9: (95) exit\x1b[2J\u202e\0');
  const types = new Uint32Array([1, 0x01000000, 4, 0x01000020, 0, 0x0d000001, 1, 7, 1, 5, 0x0c000000, 2]);
  const head = new Uint32Array([0x0001eb9f, 24, 0, types.byteLength, types.byteLength, strings.length]);
  return parseBtf(Buffer.concat([Buffer.from(head.buffer), Buffer.from(types.buffer), strings]));
}

function listingOf(image: Partial<ProgramImage>, source?: Source): Listing {
  const none = { bytes: Buffer.alloc(0), size: 0 };
  const whole: ProgramImage = {
    code: Buffer.alloc(0),
    btfId: undefined,
    functions: none,
    lines: none,
    tags: [],
    symbols: [],
    ...image,
  };
  return new Listing({
    info,
    image: whole,
    source: source ?? new Source(whole, smallBtf()),
    callees: { names: new Map() },
    kernelFunction: () => undefined,
  });
}

test('a source line cannot pass for an instruction or move a cursor', () => {
  const functions = { bytes: Buffer.from(new Uint32Array([0, 3]).buffer), size: 8 };
  const lines = { bytes: Buffer.from(new Uint32Array([0, 1, 9, (12 << 10) | 5]).buffer), size: 16 };
  const listing = listingOf({ code: assembleRaw([{ code: 0x95 }]), functions, lines });
  const [instruction] = listing.instructions();
  assert.ok(instruction);
  assert.deepEqual(instruction.source, { file: 'int', line: 12, column: 5, text: lineText });
  assert.equal(
    instructionText(instruction, listing.code, { opcodes: true, linum: true }),
    'int f(int a):\n' +
      '; return 0;\\x0a   9: (95) exit\\x1b[2J\\xe2\\x80\\xae [file:int line_num:12 line_col:5]\n' +
      '   0: (95) exit\n       95 00 00 00 00 00 00 00\n',
  );
});
const lineText = 'return 0;\n   9: (95) exit\x1b[2J\u202e';

test('100,000 random streams with random records of functions and lines are all listed to their end', () => {
  const chance = random(seed);
  const btf = smallBtf();
  const whole = /^(BUG_[0-9a-f]{2}|\([0-9a-f]{2}\) [^\n]+)$/;
  for (let round = 0; round < 100_000; round++) {
    const code = Buffer.from(chance.bytes(8 * chance.int(8)));
    const records = (size: number) => ({ bytes: Buffer.from(chance.bytes(size * chance.int(3))), size });
    const near = (given: { readonly bytes: Buffer; readonly size: number }) => {
      for (let at = 0; at < given.bytes.length; at += 4) given.bytes.writeUInt32LE(chance.int(12), at);
      return given;
    };
    const functions = chance.int(2) === 0 ? records(8) : near(records(8));
    const lines = chance.int(2) === 0 ? records(16) : near(records(16));
    const tags = ['ab', 'cd'].slice(0, chance.int(3));
    const image = { code, btfId: 1, functions, lines, tags, symbols: [1n, 2n].slice(0, chance.int(3)) };
    const listing = listingOf(image, new Source(image, btf));
    let next = 0;
    for (const instruction of listing.instructions()) {
      assert.equal(instruction.index, next, `seed ${seed} round ${round}`);
      assert.match(instruction.text, whole);
      instructionText(instruction, code, { opcodes: true, linum: true });
      next += instruction.opcode === 0x18 ? 2 : 1;
    }
    assert.ok(next >= code.length / 8);
    JSON.stringify(listing.head);
    calleesOf(code);
  }
});

function kallsyms(...lines: readonly string[]): Disposable & { readonly path: string } {
  const dir = tempDir('kallsyms');
  const path = `${dir.path}/kallsyms`;
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return { path, [Symbol.dispose]: () => dir[Symbol.dispose]() };
}

test('callees are named by their distance from the base, and by the better of two names', async () => {
  using file = kallsyms(
    'ffffffff81000100 T below',
    'ffffffff81000200 T __bpf_call_base',
    'ffffffff81000300 T other_alias',
    'ffffffff81000300 T bpf_alias',
    'ffffffff81000300 T third_alias',
    'ffffffffc0000200 t bpf_of_module\t[some_module]',
  );
  const { names, unavailable } = await new KernelSymbols(file.path).namesOf(
    new Set([-0x100, 0x100, 0x3f000000, 5]),
  );
  assert.equal(unavailable, undefined);
  assert.deepEqual(
    [...names].sort(([a], [b]) => a - b),
    [
      [-0x100, 'below'],
      [0x100, 'bpf_alias'],
      [0x3f000000, 'bpf_of_module'],
    ],
  );
});

test('where addresses are hidden or there is no list, names are absent with a reason', async () => {
  using hidden = kallsyms('0000000000000000 T bpf_one', '0000000000000000 T __bpf_call_base');
  const wanted = new Set([0x100]);
  const first = await new KernelSymbols(hidden.path).namesOf(wanted);
  assert.deepEqual([first.names.size, first.unavailable], [0, 'kernel.kptr_restrict hides the addresses']);
  const second = await new KernelSymbols(`${hidden.path}/none`).namesOf(wanted);
  assert.match(second.unavailable ?? '', /cannot be read \(ENOTDIR\)$/);
  using empty = kallsyms('ffffffff81000100 T below');
  assert.match(
    (await new KernelSymbols(empty.path).namesOf(wanted)).unavailable ?? '',
    /no __bpf_call_base$/,
  );
});

test('what the kernel itself has is looked up once, what a module has each time', async () => {
  using file = kallsyms(
    'ffffffff81000200 T __bpf_call_base',
    'ffffffff81000300 T bpf_one',
    'ffffffffc0000200 t bpf_two\t[some_module]',
  );
  const symbols = new KernelSymbols(file.path);
  await symbols.namesOf(new Set([0x100, 0x3f000000]));
  writeFileSync(file.path, 'ffffffffc0000200 t bpf_three\t[another]\n');
  const { names } = await symbols.namesOf(new Set([0x100, 0x3f000000]));
  assert.deepEqual([names.get(0x100), names.get(0x3f000000)], ['bpf_one', 'bpf_three']);
});
