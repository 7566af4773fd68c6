import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import type { ChangeContext } from '../../src/agent/agent.ts';
import { errorCatalogue, PinfoldError } from '../../src/model/error.ts';
import { type PinPath, parsePathBytes, parseUrlPath } from '../../src/model/path.ts';
import { createMap, pinnedMap } from '../support/bpftool.ts';
import { forFile } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { asking, type Bench, openBench, path } from './changes-fixture.ts';

/**
 * What a request must be answered: the status of its code, the code, and the errno where the kernel said it.
 */
interface Row {
  readonly case: string;
  readonly act: (bench: Bench) => unknown;
  readonly answer: 'done' | readonly [status: number, code: string, errno?: string];
}

const bench = forFile(openBench());
const holder = await hold(
  'map:hash:4:8:16:pf_table:0',
  'open:/dev/null',
  'map:hash:4:8:16:pf_read:8',
  'prog:socket_filter:pf_prog',
);
forFile(holder);
const id = holder.objects[0]?.id ?? 0;
const root = bench.bpffs.path;
mkdirSync(`${root}/dir`);
mkdirSync(`${root}/full`);
createMap(`${root}/pin`, { name: 'pf_there' });
createMap(`${root}/full/pin`, { name: 'pf_inside' });
symlinkSync('pin', `${root}/link`);
symlinkSync('nowhere', `${root}/dangling`);
symlinkSync('loop', `${root}/loop`);
symlinkSync('/etc', `${root}/outside`);
execFileSync('mkdir', ['-p', `${root}/covered`]);
execFileSync('mount', ['-t', 'tmpfs', 'pf-tmpfs', `${root}/covered`]);
writeFileSync(`${root}/covered/file`, '');

const pinTo =
  (target: string | PinPath, more: object = {}, context: Partial<ChangeContext> = {}) =>
  (agent: Bench) =>
    agent.changes.pin(
      typeof target === 'string' ? (target as PinPath) : target,
      undefined,
      { source: { kind: 'map', id }, ...more },
      asking(context),
    );
const text =
  (name: string, more: object = {}) =>
  (agent: Bench) =>
    pinTo(path(name), more)(agent);
const fromFd = (fd: number) => (agent: Bench) =>
  agent.changes.pin(path('from-fd'), undefined, { source: { pid: holder.pid, fd } }, asking());
const fromPin = (pin: string) => (agent: Bench) =>
  agent.changes.pin(path('from-pin'), undefined, { source: { pin } }, asking());
const unpin = (name: string) => (agent: Bench) => agent.changes.unpin(path(name), undefined, asking());
const rename =
  (from: string, to: string, more: object = {}) =>
  (agent: Bench) =>
    agent.changes.patch(path(from), undefined, { path: to, ...more }, asking());
const mkdir = (name: string) => (agent: Bench) =>
  agent.changes.makeDirectory(path(name), undefined, {}, asking());
const rmdir = (name: string) => (agent: Bench) =>
  agent.changes.removeDirectory(path(name), undefined, asking());
const bytes =
  (...values: readonly number[]) =>
  (agent: Bench) =>
    pinTo(parsePathBytes(Uint8Array.from(values)))(agent);

/** BPF_OBJ_PIN, as far as a client can provoke what it answers. */
const pinning: readonly Row[] = [
  { case: 'a fresh name', act: text('fresh'), answer: 'done' },
  { case: 'the same object again', act: text('fresh'), answer: 'done' },
  { case: 'the same object under another name', act: text('fresh-too'), answer: 'done' },
  { case: 'a name that another pin has', act: text('pin'), answer: [409, 'pin_exists', 'EEXIST'] },
  { case: 'a name that a directory has', act: text('dir'), answer: [409, 'is_a_directory'] },
  { case: 'a name that a link has', act: text('link'), answer: [409, 'symlink', 'ELOOP'] },
  { case: 'a name that a dangling link has', act: text('dangling'), answer: [409, 'symlink', 'ELOOP'] },
  { case: 'a dot in the name', act: text('x.y'), answer: [422, 'bad_path', 'EPERM'] },
  { case: 'a hidden name', act: text('.hidden'), answer: [422, 'bad_path', 'EPERM'] },
  { case: 'the directory itself', act: text('dir/.'), answer: [422, 'bad_path', 'EPERM'] },
  { case: 'the directory above', act: text('dir/../x'), answer: [422, 'bad_path', 'EPERM'] },
  { case: 'a trailing slash', act: text('x/'), answer: [422, 'bad_path'] },
  { case: 'an empty path', act: text(''), answer: [422, 'bad_path'] },
  { case: 'a NUL', act: () => parseUrlPath('a%00b'), answer: [422, 'bad_path'] },
  { case: 'a missing parent', act: text('no/where'), answer: [404, 'parent_not_found', 'ENOENT'] },
  { case: 'a parent that is a pin', act: text('pin/below'), answer: [409, 'not_a_directory', 'ENOTDIR'] },
  { case: 'a parent that is a link', act: text('outside/passwd'), answer: [409, 'symlink', 'ELOOP'] },
  { case: 'a parent that loops', act: text('loop/x'), answer: [409, 'symlink', 'ELOOP'] },
  {
    case: 'a parent on another file system',
    act: text('covered/x'),
    answer: [409, 'crosses_mount', 'EXDEV'],
  },
  { case: 'a name of 255 bytes', act: text('n'.repeat(255)), answer: 'done' },
  { case: 'a name of 256 bytes', act: text('n'.repeat(256)), answer: [422, 'bad_path', 'ENAMETOOLONG'] },
  { case: 'a newline', act: text('new\nline'), answer: 'done' },
  { case: 'a control character', act: text('bell\x07'), answer: 'done' },
  { case: 'a star, a space and a backslash', act: text('* \\'), answer: 'done' },
  { case: 'bytes that are not UTF-8', act: bytes(0xff, 0xfe, 0x80), answer: 'done' },
  {
    case: 'a descriptor that is no BPF object',
    act: fromFd(holder.objects[1]?.fd ?? 1),
    answer: [422, 'not_pinnable'],
  },
  { case: 'a descriptor that is closed', act: fromFd(9999), answer: [404, 'source_not_found'] },
  {
    case: 'a process that is not there',
    act: (agent) => agent.changes.pin(path('x'), undefined, { source: { pid: 4194304, fd: 3 } }, asking()),
    answer: [404, 'source_not_found'],
  },
];

/** BPF_OBJ_GET, through a pin as the source of another. */
const getting: readonly Row[] = [
  { case: 'a pin', act: fromPin('pin'), answer: 'done' },
  { case: 'a missing pin', act: fromPin('missing'), answer: [404, 'source_not_found'] },
  { case: 'a missing name with a dot', act: fromPin('miss.ing'), answer: [422, 'bad_path', 'EPERM'] },
  { case: 'a directory', act: fromPin('dir'), answer: [409, 'is_a_directory'] },
  {
    case: 'through a pin as a directory',
    act: fromPin('pin/x'),
    answer: [409, 'not_a_directory', 'ENOTDIR'],
  },
  { case: 'a loop', act: fromPin('loop/x'), answer: [409, 'symlink', 'ELOOP'] },
  { case: 'a link', act: fromPin('link'), answer: [409, 'symlink', 'ELOOP'] },
  { case: 'a file beneath a mount', act: fromPin('covered/file'), answer: [409, 'crosses_mount', 'EXDEV'] },
];

/** mkdir, rename, unlink and rmdir. */
const naming: readonly Row[] = [
  { case: 'a directory', act: mkdir('made'), answer: 'done' },
  { case: 'a directory with a dot', act: mkdir('ma.de'), answer: [422, 'bad_path', 'EPERM'] },
  { case: 'a directory where a pin is', act: mkdir('pin'), answer: [409, 'not_a_directory'] },
  { case: 'a directory below a pin', act: mkdir('pin/x'), answer: [409, 'not_a_directory'] },
  {
    case: 'a directory below a missing one',
    act: mkdir('no/x'),
    answer: [404, 'parent_not_found', 'ENOENT'],
  },
  {
    case: 'removing a directory that is not there',
    act: rmdir('missing'),
    answer: [404, 'directory_not_found', 'ENOENT'],
  },
  {
    case: 'removing a directory that is not empty',
    act: rmdir('full'),
    answer: [409, 'directory_not_empty', 'ENOTEMPTY'],
  },
  { case: 'removing a pin as a directory', act: rmdir('pin'), answer: [409, 'not_a_directory'] },
  { case: 'removing a mount point', act: rmdir('covered'), answer: [409, 'crosses_mount'] },
  { case: 'removing an empty directory', act: rmdir('made'), answer: 'done' },
  { case: 'a rename to another directory', act: rename('fresh-too', 'dir/renamed'), answer: 'done' },
  { case: 'a rename of nothing', act: rename('missing', 'x'), answer: [404, 'pin_not_found', 'ENOENT'] },
  { case: 'a rename of a directory', act: rename('dir', 'x'), answer: [409, 'is_a_directory'] },
  { case: 'a rename of a link', act: rename('link', 'x'), answer: [409, 'symlink', 'ELOOP'] },
  { case: 'a rename onto a pin', act: rename('fresh', 'pin'), answer: [409, 'pin_exists', 'EEXIST'] },
  {
    case: 'a rename onto a directory',
    act: rename('fresh', 'dir', { replace: true }),
    answer: [409, 'is_a_directory'],
  },
  { case: 'a rename onto a dotted name', act: rename('fresh', 'a.b'), answer: [422, 'bad_path', 'EPERM'] },
  {
    case: 'a rename onto another file system',
    act: rename('fresh', 'covered/x'),
    answer: [409, 'crosses_mount', 'EXDEV'],
  },
  { case: 'unpinning a missing name', act: unpin('missing'), answer: [404, 'pin_not_found', 'ENOENT'] },
  {
    case: 'unpinning below a missing directory',
    act: unpin('no/where'),
    answer: [404, 'parent_not_found', 'ENOENT'],
  },
  { case: 'unpinning a missing dotted name', act: unpin('no.where'), answer: [422, 'bad_path', 'EPERM'] },
  { case: 'unpinning a directory', act: unpin('dir'), answer: [409, 'is_a_directory'] },
  { case: 'unpinning a link', act: unpin('dangling'), answer: [409, 'symlink', 'ELOOP'] },
  {
    case: 'unpinning a file beneath a mount',
    act: unpin('covered/file'),
    answer: [409, 'crosses_mount', 'EXDEV'],
  },
  { case: 'the staging directory', act: unpin('pinfold-staging'), answer: [422, 'bad_path'] },
];

for (const [call, rows] of Object.entries({ pinning, getting, naming })) {
  for (const row of rows)
    test(`${call}: ${row.case}`, () => assert.deepEqual(answerOf(row, bench), row.answer));
}

function answerOf(row: Row, agent: Bench): Row['answer'] {
  try {
    row.act(agent);
    return 'done';
  } catch (error) {
    if (!(error instanceof PinfoldError)) throw error;
    const { errno } = error.details;
    const answer = [errorCatalogue[error.code].status, error.code] as const;
    return row.answer.length === 3 && errno !== undefined ? [...answer, errno] : answer;
  }
}

test('on a read-only file system every change is refused before the kernel is asked', () => {
  using agent = openBench();
  createMap(`${agent.bpffs.path}/pin`, { name: 'pf_there' });
  execFileSync('mount', ['-o', 'remount,ro', agent.bpffs.path]);
  for (const act of [text('x'), unpin('pin'), rename('pin', 'x'), mkdir('x'), rmdir('x')]) {
    assert.deepEqual(answerOf({ case: '', act, answer: [409, 'read_only', 'EROFS'] }, agent), [
      409,
      'read_only',
      'EROFS',
    ]);
  }
  execFileSync('mount', ['-o', 'remount,rw', agent.bpffs.path]);
});

test('a descriptor that may only read can be pinned, as the kernel lets it', () => {
  const held = holder.objects[2];
  const source = { pid: holder.pid, fd: held?.fd ?? -1 };
  bench.changes.pin(path('read-only-fd'), undefined, { source }, asking());
  assert.equal(pinnedMap(`${root}/read-only-fd`).name, 'pf_read');
});

test('a bpffs that is not there is not found', () => {
  const act = () => bench.changes.unpin(path('x'), '0:9999', asking());
  assert.deepEqual(answerOf({ case: '', act, answer: [404, 'mount_not_found'] }, bench), [
    404,
    'mount_not_found',
  ]);
});
