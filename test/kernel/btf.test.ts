import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { memberOffset } from '../../src/kernel/btf/member-offset.ts';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
import { compileBpf } from '../support/c-program.ts';
import { random, testSeed } from '../support/seed.ts';
import { tempDir } from '../support/temp-dir.ts';

const vmlinux = readFileSync('/sys/kernel/btf/vmlinux');

/** Members that lie at the top, behind anonymous unions and in nested structures. */
const members = [
  ['bpf_map', 'id'],
  ['bpf_map', 'refcnt.counter'],
  ['bpf_map', 'usercnt.counter'],
  ['bpf_map', 'frozen'],
  ['bpf_prog', 'aux'],
  ['bpf_prog_aux', 'refcnt.counter'],
  ['bpf_prog_aux', 'work.func'],
  ['bpf_link', 'refcnt.counter'],
  ['bpf_link', 'id'],
  ['bpf_iter__bpf_map', 'map'],
  ['bpf_iter_meta', 'seq'],
  ['bpf_iter__task_file', 'fd'],
  ['file', 'private_data'],
  ['task_struct', 'pid'],
  ['task_struct', 'se.avg.load_sum'],
  ['sk_buff', 'dev'],
  ['sk_buff', 'sk'],
  ['page', 'mapping'],
] as const;

/** Offsets and sizes as gcc lays the kernel's structures out, from the header bpftool makes. */
function judgeByGcc(): [number, number][] {
  using dir = tempDir('btf');
  const args = ['btf', 'dump', 'file', '/sys/kernel/btf/vmlinux', 'format', 'c'];
  const header = execFileSync('bpftool', args, { maxBuffer: 1 << 28 });
  writeFileSync(`${dir.path}/vmlinux.h`, header);
  const rows = members.map(
    ([struct, path]) => `{__builtin_offsetof(struct ${struct}, ${path}),
    sizeof(((struct ${struct} *)0)->${path})}`,
  );
  writeFileSync(
    `${dir.path}/offsets.c`,
    `#include "vmlinux.h"
     int printf(const char *, ...);
     static const unsigned long rows[][2] = {${rows.join(',')}};
     int main(void) {
       for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
         printf("[%lu,%lu]\\n", rows[i][0], rows[i][1]);
     }`,
  );
  execFileSync('gcc', ['-w', `${dir.path}/offsets.c`, '-o', `${dir.path}/offsets`]);
  const lines = execFileSync(`${dir.path}/offsets`, { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as [number, number]);
}

/** The BTF that clang has put into an object file. */
function btfSection(): Buffer {
  using dir = tempDir('btf');
  const format = ['-I', 'elf64-little', '-O', 'elf64-little'];
  const object = compileBpf('counters');
  execFileSync('objcopy', [...format, `--dump-section=.BTF=${dir.path}/btf`, object, `${dir.path}/copy`]);
  return readFileSync(`${dir.path}/btf`);
}

test('offsets and sizes of kernel structures are those gcc computes', () => {
  const btf = parseBtf(vmlinux);
  const found = members.map(([struct, path]) => {
    const { offset, size } = memberOffset(btf, btf.find('struct', struct) ?? -1, path);
    return [offset, size];
  });
  assert.deepEqual(found, judgeByGcc());
});

test('types have the ids, kinds and names bpftool gives them, to the last one', () => {
  const args = ['btf', 'dump', 'file', compileBpf('counters'), 'format', 'raw'];
  const shown = execFileSync('bpftool', args, { encoding: 'utf8' });
  const btf = parseBtf(btfSection());
  const rows = [...shown.matchAll(/^\[(\d+)\] (\w+) '(.*?)'/gm)];
  assert.equal(btf.typeCount, rows.length);
  for (const [, id, kind, name] of rows) {
    assert.equal(btf.kindOf(Number(id)), kind?.toLowerCase(), `type ${id}`);
    assert.equal(btf.nameOf(Number(id)), name === '(anon)' ? '' : name, `type ${id}`);
  }
});

test('what is not there is not found', () => {
  const btf = parseBtf(vmlinux);
  assert.equal(btf.find('struct', 'pf_no_such_struct'), undefined);
  assert.equal(btf.find('struct', 'bpf_iter_bpf_map'), undefined, 'a function is no structure');
  assert.equal(btf.find('struct', 'pf_map'), undefined, 'the end of a name is not the name');
  const map = btf.find('struct', 'bpf_map') ?? -1;
  assert.throws(() => memberOffset(btf, map, 'no_such_member'), RangeError);
  assert.throws(() => memberOffset(btf, map, 'id.counter'), RangeError);
  assert.throws(() => btf.kindOf(btf.typeCount + 1), RangeError);
  assert.throws(() => btf.kindOf(-1), RangeError);
  assert.throws(() => btf.stringAt(0xffffffff), RangeError);
});

test('a member of a bit field knows its width', () => {
  const btf = parseBtf(vmlinux);
  const info = btf.find('struct', 'bpf_prog_info') ?? -1;
  const flag = btf.members(info).find(({ name }) => name === 'gpl_compatible');
  assert.deepEqual([flag?.bitOffset, flag?.bitSize], [84 * 8, 1]);
  assert.equal(btf.members(info)[0]?.bitSize, 0);
});

/** A small BTF: header, and then types and strings as they are given. */
function btfOf(types: readonly number[], strings = '\0'): Buffer {
  const body = Buffer.alloc(types.length * 4);
  types.forEach((word, index) => {
    body.writeUInt32LE(word >>> 0, 4 * index);
  });
  const header = Buffer.alloc(24);
  header.writeUInt16LE(0xeb9f, 0);
  header.writeUInt8(1, 2);
  header.writeUInt32LE(24, 4);
  header.writeUInt32LE(body.length, 12);
  header.writeUInt32LE(body.length, 16);
  header.writeUInt32LE(strings.length, 20);
  return Buffer.concat([header, body, Buffer.from(strings, 'latin1')]);
}

test('typedefs and structures that contain themselves end with an error, not with the stack', () => {
  const typedefs = parseBtf(btfOf([0, 8 << 24, 2, 0, 8 << 24, 1]));
  assert.throws(() => typedefs.resolve(1), RangeError);
  const nested = parseBtf(btfOf([0, (4 << 24) | 1, 8, 0, 1, 0]));
  assert.throws(() => memberOffset(nested, 1, 'x'), RangeError);
});

test('a kind from the future ends the scan with a sentence', () => {
  assert.throws(() => parseBtf(btfOf([0, 30 << 24, 0])), /newer than this build/);
});

test('damaged BTF is a RangeError and nothing else', () => {
  const { seed, int } = random(testSeed());
  const whole = btfSection();
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(whole.subarray(0, int(4) === 0 ? int(whole.length + 1) : whole.length));
    for (let flips = 1 + int(8); flips > 0 && bytes.length > 0; flips--) {
      bytes[int(int(2) === 0 ? Math.min(48, bytes.length) : bytes.length)] = int(256);
    }
    try {
      const btf = parseBtf(bytes);
      for (const id of [1, 1 + int(btf.typeCount + 1), btf.find('struct', 'bpf_map') ?? 1]) {
        memberOffset(btf, id, 'refcnt.counter');
      }
    } catch (error) {
      assert.ok(error instanceof RangeError, `seed ${seed}, round ${round}: ${String(error)}`);
      refused++;
    }
  }
  assert.ok(refused > 1_000);
});
