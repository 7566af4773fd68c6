import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { loadProgram } from '../../src/kernel/bpf/create.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { instructionText, type TextOptions } from '../../src/kernel/program/text.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { bpftool, listPrograms, pinnedProgram } from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { forFile } from '../support/disposal.ts';
import { assembleRaw, dumpXlated, loadPrograms, type RawInstruction } from '../support/programs.ts';
import { tempDir } from '../support/temp-dir.ts';

const kernel = forFile(openKernel());
const bpffs = forFile(mountBpffs());
const sources = ['prog-calls', 'prog-arithmetic', 'prog-contexts'];
const programs = sources.flatMap((name) => loadPrograms(name, `${bpffs.path}/${name}`));

/**
 * What the kernel prints (kernel/bpf/disasm.c, 6.18) and bpftool 7.1, which is of Linux 6.2, does not know
 * yet: each line of ours, and what bpftool makes of the same bytes. All other lines are equal.
 */
const intended: readonly (readonly [ours: RegExp, theirs: string])[] = [
  // A per-CPU address (BPF_ADDR_PERCPU, 6.10) looks like a plain move to it.
  [/= &\(void __percpu \*\)\((r\d)\)/, '= $1'],
  // Signed moves, divisions and remainders (6.6) are told by `off`, which it does not look at.
  [/= \(s(?:8|16|32)\)([rw]\d)/, '= $1'],
  [/ s([/%])= /, ' $1= '],
  // Byte swaps, signed loads (6.6), and loads and stores that order others (6.15): unknown to it.
  [/\(d7\) r\d = bswap.*/, 'BUG_alu64_d7'],
  [/\((81|89|91)\) .*/, 'BUG_ldx_$1'],
  [/\((c3|cb|d3|db)\) (?:r\d = load_acquire|store_release).*/, 'BUG_$1'],
  // A jump of 32 bits (6.6).
  [/\(06\) gotol pc.*/, '(06) if w0 jmp 0x0 goto pc+0'],
];

async function listingOf(id: number) {
  const code = (() => {
    using held = kernel.objects.holdById('program', id);
    return kernel.programs.readCode(held);
  })();
  return await kernel.programs.list(code);
}

async function textOf(id: number, options: Partial<TextOptions> = {}): Promise<string> {
  const listing = await listingOf(id);
  const lines = [...listing.instructions()].map((instruction) =>
    instructionText(instruction, listing.code, { opcodes: false, linum: false, ...options }),
  );
  return lines.join('');
}

/** Our text with the intended differences undone, as far as there are any. */
function asBpftoolSays(text: string): string {
  return intended.reduce((told, [ours, theirs]) => told.replaceAll(new RegExp(ours, 'g'), theirs), text);
}

for (const { name, id } of programs) {
  test(`${name} is printed as bpftool prints it, also with places and opcodes`, async () => {
    assert.equal(asBpftoolSays(await textOf(id)), dumpXlated(id));
    assert.equal(asBpftoolSays(await textOf(id, { linum: true })), dumpXlated(id, 'linum'));
    assert.equal(asBpftoolSays(await textOf(id, { opcodes: true })), dumpXlated(id, 'opcodes'));
  });
}

test('what was compared has every sort of call and constant, atomics and swaps in it', async () => {
  assert.ok(programs.length >= 12);
  const all = (await Promise.all(programs.map(({ id }) => textOf(id)))).join('');
  for (const found of [
    /call bpf_tail_call#12/,
    /call bpf_rcu_read_lock#/,
    /call pc\+\d+#bpf_prog_[0-9a-f]{16}_later/,
    /subprog\[\+\d+\]/,
    /map\[id:\d+\]\[0\]\+8/,
    /map\[id:\d+\]\n/,
    /= 0x123456789abcdef0/,
    /atomic64_cmpxchg/,
    /atomic_fetch_xor/,
    /lock \*\(u32 \*\)/,
    /= be64 r/,
    /if w\d s/,
    /&\(void __percpu/,
  ]) {
    assert.match(all, found);
  }
});

const socketFilter = 1;

/** Loads instructions by hand, without BTF, and keeps the program until disposed. */
function load(name: string, instructions: readonly RawInstruction[]): { readonly id: number } & Disposable {
  const spec = { type: socketFilter, name, instructions: assembleRaw(instructions) };
  const fd = loadProgram({ ...spec, expectedAttachType: 0, attachBtfId: 0 }, kernel);
  const id = listPrograms().findLast((program) => program.name === name)?.id;
  assert.ok(id !== undefined);
  return { id, [Symbol.dispose]: () => fd[Symbol.dispose]() };
}

const exit = { code: 0x95 };
const zero = { code: 0xb7, dst: 0, imm: 0 };
const newer: readonly RawInstruction[] = [
  zero,
  { code: 0xb7, dst: 1, imm: -7 },
  { code: 0x7b, dst: 10, src: 1, off: -8 },
  { code: 0xbf, dst: 2, src: 1, off: 8 },
  { code: 0xbf, dst: 2, src: 1, off: 32 },
  { code: 0xbc, dst: 3, src: 1, off: 16 },
  { code: 0x37, dst: 1, off: 1, imm: 3 },
  { code: 0x9f, dst: 1, src: 2, off: 1 },
  { code: 0x3c, dst: 1, src: 2, off: 1 },
  { code: 0xd7, dst: 2, imm: 16 },
  { code: 0xd7, dst: 2, imm: 64 },
  { code: 0xdc, dst: 2, imm: 32 },
  { code: 0xd4, dst: 2, imm: 16 },
  { code: 0x81, dst: 3, src: 10, off: -8 },
  { code: 0x89, dst: 3, src: 10, off: -6 },
  { code: 0x91, dst: 3, src: 10, off: -7 },
  { code: 0xdb, dst: 4, src: 10, off: -8, imm: 0x100 },
  { code: 0xdb, dst: 10, src: 4, off: -8, imm: 0x110 },
  { code: 0xd3, dst: 4, src: 10, off: -8, imm: 0x100 },
  { code: 0x87, dst: 4 },
  { code: 0x84, dst: 4 },
  { code: 0x06, imm: 0 },
  { code: 0x7a, dst: 10, off: -16, imm: -2 },
  { code: 0x72, dst: 10, off: -16, imm: 2 },
  { code: 0xe5, off: 1 },
  { code: 0xb7, dst: 5, imm: 1 },
  { code: 0x56, dst: 1, imm: -1, off: 1 },
  exit,
  exit,
];

test('instructions that bpftool 7.1 does not know are written as the kernel writes them', async () => {
  using program = load('pf_newer', newer);
  const text = await textOf(program.id);
  assert.equal(asBpftoolSays(text), dumpXlated(program.id));
  for (const found of [
    /\(bf\) r2 = \(s8\)r1\n/,
    /\(bf\) r2 = \(s32\)r1\n/,
    /\(bc\) w3 = \(s16\)w1\n/,
    /\(37\) r1 s\/= 3\n/,
    /\(9f\) r1 s%= r2\n/,
    /\(d7\) r2 = bswap64 r2\n/,
    /\(81\) r3 = \*\(s32 \*\)\(r10 -8\)\n/,
    /\(db\) r4 = load_acquire\(\(u64 \*\)\(r10 -8\)\)\n/,
    /\(db\) store_release\(\(u64 \*\)\(r10 -8\), r4\)\n/,
    /\(06\) gotol pc\+0\n/,
    /\(85\) call arch_bpf_timed_may_goto#/,
  ]) {
    assert.match(text, found);
  }
});

test('functions without BTF have the names the kernel gives them', async () => {
  const call = { code: 0x85, src: 1, imm: 1 };
  using program = load('pf_plain', [call, exit, zero, exit]);
  const text = await textOf(program.id);
  assert.equal(text, dumpXlated(program.id));
  assert.match(text, /^ {3}0: \(85\) call pc\+1#bpf_prog_[0-9a-f]{16}_F\n/);
});

for (const { name, id } of programs.filter((program) => /subprogs|callbacks|maps|alu64/.test(program.name))) {
  test(`the bytes of ${name} and of its machine code are those that others read`, async () => {
    using dir = tempDir('images');
    execFileSync('bpftool', ['prog', 'dump', 'xlated', 'id', String(id), 'file', `${dir.path}/xlated`]);
    assert.deepEqual((await listingOf(id)).code, readFileSync(`${dir.path}/xlated`));
    using held = kernel.objects.holdById('program', id);
    const { code, document } = kernel.programs.readMachineCode(held);
    assert.deepEqual(code, execFileSync(compileC('jited'), [String(id)]));
    assert.equal(document.bytes, code.length);
    assert.equal(
      document.functions.reduce((sum, { bytes }) => sum + bytes, 0),
      code.length,
    );
    const symbols = readFileSync('/proc/kallsyms', 'utf8');
    for (const { symbol, address } of document.functions) {
      assert.ok(symbols.includes(`\n${address?.slice(2)} t ${symbol}\t[bpf]\n`), symbol);
    }
  });
}

test('documents name maps, callees, targets and functions', async () => {
  for (const { id, path } of programs) {
    const listing = await listingOf(id);
    const all = [...listing.instructions()];
    const shown = pinnedProgram(path);
    const used = new Set(all.flatMap(({ map_id }) => map_id ?? []));
    assert.deepEqual(
      [...used].filter((map) => !shown.map_ids?.includes(map)),
      [],
    );
    const slots = new Set(all.map(({ index }) => index));
    for (const { opcode, src, target, helper, kfunc, function: own, source } of all) {
      assert.equal(
        opcode === 0x85,
        [helper, kfunc, own].some((called) => called !== undefined),
      );
      if (opcode === 0x85) assert.ok([helper, own, kfunc][src] !== undefined);
      if (target !== undefined) assert.ok(slots.has(target));
      if (source !== undefined) assert.match(source.file, /prog-[a-z]+\.bpf\.c$/);
    }
    const { head } = listing;
    assert.equal(head.tag, shown.tag);
    assert.equal(head.bytes, shown.bytes_xlated);
    assert.equal(head.unavailable, undefined);
    assert.ok(head.functions.every(({ index, signature }) => slots.has(index) && signature.endsWith(')')));
  }
});

test('reading leaves nothing open', async () => {
  for (const { id } of programs) await listingOf(id);
  assert.deepEqual(kernel.fds.transient(), []);
});

test('statistics are on while somebody holds them', () => {
  const { id } = programs.find(({ name }) => name === 'pf_alu32') ?? { id: 0 };
  using dir = tempDir('packet');
  writeFileSync(`${dir.path}/packet`, Buffer.alloc(64));
  const run = (): unknown =>
    bpftool('prog', 'run', 'id', String(id), 'data_in', `${dir.path}/packet`, 'repeat', '1');
  const counted = (): number => {
    const info = kernel.objects.describe('program', id)?.info;
    return info?.kind === 'program' ? (info.run_cnt ?? 0) : 0;
  };
  const ofOthers = counted();
  {
    using _held = kernel.programs.holdStatistics();
    run();
  }
  assert.equal(counted(), ofOthers + 1);
});
