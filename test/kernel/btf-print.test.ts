import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import type { Btf } from '../../src/kernel/btf/btf.ts';
import { membersOf } from '../../src/kernel/btf/details.ts';
import { readModuleBtf } from '../../src/kernel/btf/kernel-btf.ts';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
import { renderC, renderTypes, typeName } from '../../src/kernel/btf/render/c-source.ts';
import { renderJson } from '../../src/kernel/btf/render/json.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { BtfBuilder } from '../support/btf-builder.ts';
import { btfSection, dumpBtfC, dumpBtfJson, normalizeC } from '../support/btf-dump.ts';
import { compileBpf } from '../support/c-program.ts';
import { tempDir } from '../support/temp-dir.ts';

const vmlinuxPath = '/sys/kernel/btf/vmlinux';
const vmlinux = parseBtf(readFileSync(vmlinuxPath));
const programs = ['btf-shapes', 'counters', 'tc-story'];

/** bpftool 7.1 does not say that an enumeration is narrower or wider than an int. */
const mode = /__attribute__\(\(mode\(\w+\)\)\)/g;

function sourceOf(btf: Btf): string {
  return [...renderC(btf)].join('');
}

function compiles(compiler: readonly string[], source: string): void {
  using dir = tempDir('btf-c');
  writeFileSync(`${dir.path}/types.c`, source);
  const [command = '', ...args] = compiler;
  execFileSync(command, [...args, '-fsyntax-only', `${dir.path}/types.c`], { stdio: 'pipe' });
}

test('vmlinux as JSON is what bpftool prints, byte for byte', () => {
  assert.ok([...renderJson(vmlinux)].join('') === dumpBtfJson('file', vmlinuxPath));
});

test('vmlinux as C is what bpftool prints, to the last type, but for padding and the modes of enums', () => {
  const ours = normalizeC(sourceOf(vmlinux).replaceAll(mode, ''));
  const theirs = normalizeC(dumpBtfC('file', vmlinuxPath));
  assert.equal(ours.length, theirs.length);
  assert.deepEqual(
    ours.filter((line, index) => line !== theirs[index]),
    [],
  );
});

for (const name of programs) {
  test(`the BTF of ${name} is printed as bpftool prints it, and clang takes it`, () => {
    const object = compileBpf(name);
    const btf = parseBtf(btfSection(object));
    assert.equal([...renderJson(btf)].join(''), dumpBtfJson('file', object));
    const source = sourceOf(btf);
    assert.deepEqual(normalizeC(source.replaceAll(mode, '')), normalizeC(dumpBtfC('file', object)));
    compiles(['clang', '-target', 'bpf', '-Wall', '-Wno-visibility', '-Werror'], source);
  });
}

/** Tags that several types have: which of them has the plain name is not asked here. */
function uniqueTags(btf: Btf): Map<string, number> {
  const tags = new Map<string, number | undefined>();
  for (let id = 1; id <= btf.typeCount; id++) {
    const kind = btf.kindOf(id);
    if (!['struct', 'union', 'enum', 'enum64'].includes(kind) || btf.isAnonymous(id)) continue;
    if (kind === 'enum' && btf.entriesOf(id) === 0) continue;
    const name = btf.nameOf(id);
    tags.set(name, tags.has(name) ? undefined : id);
  }
  return new Map([...tags].filter((entry): entry is [string, number] => entry[1] !== undefined));
}

test('gcc gives every structure and member of vmlinux, printed as C, the size and offset BTF says', () => {
  const asserts = [...uniqueTags(vmlinux)].flatMap(([name, id]) => {
    const type = `${vmlinux.kindOf(id).replace('64', '')} ${name}`;
    const offsets = membersOf(vmlinux, id)
      .filter((member) => member.name !== '' && member.bitSize === 0)
      .map((member) => `__builtin_offsetof(${type},${member.name})==${member.bitOffset / 8}`);
    return [`sizeof(${type})==${vmlinux.sizeOf(id)}`, ...offsets];
  });
  assert.ok(asserts.length > 50_000);
  const lines = asserts.map((each) => `_Static_assert(${each},"");`);
  compiles(['gcc', '-w'], `${sourceOf(vmlinux)}${lines.join('\n')}`);
});

test('one type is printed with what it needs and nothing else', () => {
  const btf = parseBtf(btfSection(compileBpf('btf-shapes')));
  const id = btf.find('struct', 'key') ?? 0;
  assert.equal(
    [...renderTypes(btf, [id])].join(''),
    'typedef unsigned int __u32;\n\nstruct key {\n\t__u32 id;\n\tchar tag[4];\n};\n\n',
  );
});

test('types are named as one would write them', () => {
  const builder = new BtfBuilder();
  const int = builder.int('int', 4, 'signed');
  const task = builder.struct('task', 4, [{ name: 'pid', type: int, at: 0 }]);
  const proto = builder.proto(int, [{ type: builder.ptr(task) }, { type: 0 }]);
  const cases: readonly (readonly [number, string])[] = [
    [0, 'void'],
    [builder.qualifier('const', int), 'const int'],
    [builder.ptr(builder.qualifier('const', task)), 'const struct task *'],
    [builder.qualifier('volatile', builder.ptr(int)), 'int * volatile'],
    [builder.array(builder.array(int, 3), 2), 'int [2][3]'],
    [builder.ptr(builder.array(int, 3)), 'int (*)[3]'],
    [builder.array(builder.ptr(proto), 4), 'int (*[4])(struct task *, ...)'],
    [builder.ptr(builder.typeTag('user', task)), 'struct task __attribute__((btf_type_tag("user"))) *'],
    [builder.fwd('later', true), 'union later'],
    [builder.enum64('big', 8, { A: 1n }), 'enum big'],
  ];
  const btf = parseBtf(builder.build());
  for (const [id, name] of cases)
    assert.equal(typeName(btf, id), name.replace(' * ', ' *').replace(' [', ' ['));
});

test('a module’s BTF goes on from vmlinux', () => {
  using dir = tempDir('btf-module');
  const builder = new BtfBuilder({ types: vmlinux.typeCount, strings: vmlinux.stringBytes });
  const task = vmlinux.find('struct', 'task_struct') ?? 0;
  const id = builder.struct('pf_module_state', 8, [{ name: 'task', type: builder.ptr(task), at: 0 }]);
  writeFileSync(`${dir.path}/pf_module`, builder.build());
  const module = readModuleBtf('pf_module', vmlinux, dir.path);
  assert.equal(module.find('struct', 'pf_module_state'), id);
  assert.equal(module.find('struct', 'task_struct'), task);
  assert.equal(
    [...renderTypes(module, [id])].join(''),
    'struct task_struct;\n\nstruct pf_module_state {\n\tstruct task_struct *task;\n};\n\n',
  );
  writeFileSync(`${dir.path}/pf_base`, readFileSync(vmlinuxPath));
  assert.equal(
    [...renderJson(module)].join(''),
    dumpBtfJson('file', `${dir.path}/pf_module`, '--base-btf', `${dir.path}/pf_base`),
  );
  const isNotFound = (error: unknown): boolean => isPinfoldError(error, 'object_not_found');
  assert.throws(() => readModuleBtf('pf_none', vmlinux, dir.path), isNotFound);
  assert.throws(() => readModuleBtf('../pf_module', vmlinux, `${dir.path}/x`), isNotFound);
});
