import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { membersOf } from '../../src/kernel/btf/details.ts';
import { memberOffset } from '../../src/kernel/btf/member-offset.ts';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { btfSection } from '../support/btf-dump.ts';
import { compileBpf } from '../support/c-program.ts';
import { tempDir } from '../support/temp-dir.ts';

const isInvalidInput = (error: unknown): boolean => isPinfoldError(error, 'invalid_input');
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
  const btf = parseBtf(btfSection(compileBpf('counters')));
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
  assert.throws(() => btf.kindOf(btf.typeCount + 1), isInvalidInput);
  assert.throws(() => btf.kindOf(-1), isInvalidInput);
  assert.throws(() => btf.stringAt(0xffffffff), isInvalidInput);
});

test('a member of a bit field knows its width', () => {
  const btf = parseBtf(vmlinux);
  const info = btf.find('struct', 'bpf_prog_info') ?? -1;
  const flag = membersOf(btf, info).find(({ name }) => name === 'gpl_compatible');
  assert.deepEqual([flag?.bitOffset, flag?.bitSize], [84 * 8, 1]);
  assert.equal(membersOf(btf, info)[0]?.bitSize, 0);
});
