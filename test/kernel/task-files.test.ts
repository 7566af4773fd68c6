import assert from 'node:assert/strict';
import test from 'node:test';
import { readKernelBtf } from '../../src/kernel/btf/kernel-btf.ts';
import { listPids, mergeFiles, readProcFiles } from '../../src/kernel/holder/proc-files.ts';
import { type HeldFile, HeldFiles } from '../../src/kernel/iter/held-files.ts';
import { OwnObjects } from '../../src/kernel/iter/own.ts';
import { Calls } from '../../src/kernel/sys/calls.ts';
import { FdTable } from '../../src/kernel/sys/fd.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { forFile } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { bpfFds } from '../support/leaks.ts';
import { processorMs } from '../support/processor-time.ts';

const calls = new Calls(new FdTable());
const own = new OwnObjects();
const files = forFile(new HeldFiles(calls, readKernelBtf('/sys/kernel/btf/vmlinux'), own));

/** What is told of the descriptors of one process, by descriptor. */
function filesOf(pid: number): ReadonlyMap<number, HeldFile> {
  return new Map(files.readFiles().flatMap((file) => (file.pid === pid ? [[file.fd, file] as const] : [])));
}

test('every kind of object is told by kind and id, and a duplicate is the same file', async () => {
  using holder = await hold(
    'map:hash:4:8:16:pf_file:0',
    'prog:sk_lookup:pf_file',
    'link:netns:1',
    'dup:0',
    'map:hash:4:8:16:pf_other:0',
  );
  const found = filesOf(holder.pid);
  const [map, program, link, duplicate, other] = holder.objects.map(({ fd }) => found.get(fd));
  const ids = holder.objects.map(({ id }) => id);
  assert.deepEqual(
    [map, program, link, duplicate, other].map((file) => file && `${file.kind} ${file.id}`),
    [`map ${ids[0]}`, `program ${ids[1]}`, `link ${ids[2]}`, `map ${ids[0]}`, `map ${ids[4]}`],
  );
  assert.equal(map?.file, duplicate?.file);
  assert.notEqual(map?.file, other?.file);
  assert.equal(found.size, 5);
});

test('a second file on one map is a second file', async () => {
  using holder = await hold('map:hash:4:8:16:pf_twice:0');
  const [map] = holder.objects;
  const again = await holder.tell(`id:map:${map?.id}`);
  const found = filesOf(holder.pid);
  assert.equal(found.get(again.fd)?.id, map?.id);
  assert.notEqual(found.get(again.fd)?.file, found.get(map?.fd ?? -1)?.file);
});

test('a run of an iterator tells its program, and over elements its map', async () => {
  using holder = await hold(
    'prog-iter:bpf_map_elem:pf_elements',
    'map:hash:4:8:16:pf_walked:0',
    'link:iter:0:1',
    'run:2',
    'prog-iter:bpf_map:pf_all',
    'link:iter:4',
    'run:5',
  );
  const found = filesOf(holder.pid);
  const [program, map, , run, plain, , plainRun] = holder.objects;
  const shown = (fd: number | undefined): unknown[] => {
    const file = found.get(fd ?? -1);
    return [file?.kind, file?.id, file?.mapId];
  };
  assert.deepEqual(shown(run?.fd), ['iterator', program?.id, map?.id]);
  assert.deepEqual(shown(plainRun?.fd), ['iterator', plain?.id, 0]);
});

test('perf events and sockets tell the programs they run', async () => {
  using holder = await hold(
    'prog:perf_event:pf_sample',
    'perf:0',
    'prog:socket_filter:pf_filter',
    'filter:2',
    'reuseport:2',
  );
  const found = filesOf(holder.pid);
  const [sample, event, filter, filtered, group] = holder.objects;
  assert.deepEqual(pick(found.get(event?.fd ?? -1)), ['perf_event', sample?.id, 0]);
  assert.deepEqual(pick(found.get(filtered?.fd ?? -1)), ['socket', filter?.id, 0]);
  assert.deepEqual(pick(found.get(group?.fd ?? -1)), ['socket', 0, filter?.id]);
});

function pick(file: HeldFile | undefined): unknown[] {
  return [file?.kind, file?.id, file?.reuseportId];
}

test('an open inode of a bpffs is told with its number, and has no links once it is unlinked', async () => {
  using bpffs = mountBpffs();
  const path = `${bpffs.path}/pf_inode`;
  using holder = await hold('map:hash:4:8:16:pf_inode:0', `pin:0:${path}`, `opath:${path}`);
  const fd = holder.objects[1]?.fd ?? -1;
  const before = filesOf(holder.pid).get(fd);
  assert.deepEqual([before?.kind, before?.inode?.links], ['inode', 1]);
  await holder.tell(`unlink:${path}`);
  const after = filesOf(holder.pid).get(fd);
  assert.deepEqual([after?.inode?.links, after?.inode?.number], [0, before?.inode?.number]);
  assert.equal(after?.file, before?.file);
});

test('a mapping tells the file it keeps after the last descriptor is closed', async () => {
  const mmapable = 1 << 10;
  using holder = await hold(`map:array:4:4096:4:pf_mapped:${mmapable}`);
  const [map] = holder.objects;
  const file = filesOf(holder.pid).get(map?.fd ?? -1)?.file;
  await holder.tell('mmap:0');
  await holder.tell('close:0');
  assert.equal(filesOf(holder.pid).size, 0);
  const mappings = files.readMappings().filter(({ pid }) => pid === holder.pid);
  assert.deepEqual(mappings, [{ pid: holder.pid, file, mapId: map?.id }]);
});

test('neither our own files nor those of others that have nothing to do with BPF are told', async () => {
  using holder = await hold();
  assert.equal(filesOf(holder.pid).size, 0);
  assert.equal(filesOf(process.pid).size, 0);
  assert.ok(bpfFds().size > 0);
  assert.deepEqual(calls.fds.transient(), []);
});

test('without the kernel’s types nothing is told, and the reason is', () => {
  using blind = new HeldFiles(calls, readKernelBtf('/proc/no-such-file'), own);
  assert.match(blind.unavailable ?? '', /cannot be read \(ENOENT\)/);
  assert.throws(() => blind.readFiles(), RangeError);
});

test('without the iterator /proc tells the same of objects and open inodes, duplicates by kcmp', async () => {
  using bpffs = mountBpffs();
  const path = `${bpffs.path}/pf_proc`;
  using holder = await hold(
    'map:hash:4:8:16:pf_proc:0',
    'prog:sk_lookup:pf_proc',
    'link:netns:1',
    'dup:0',
    `pin:0:${path}`,
    `get:${path}`,
    `opath:${path}`,
  );
  await holder.tell(`unlink:${path}`);
  const { pid } = holder;
  const byIterator = [...filesOf(pid).values()];
  const byProc = mergeFiles([], readProcFiles(pid, -1) ?? []);
  const withoutFile = (found: readonly HeldFile[]): unknown[] =>
    found.map(({ file: _, ...rest }) => rest).sort((one, other) => one.fd - other.fd);
  assert.deepEqual(withoutFile(byProc), withoutFile(byIterator));
  assert.equal(
    new Set(byProc.map(({ file }) => file)).size,
    new Set(byIterator.map(({ file }) => file)).size,
  );
  const merged = mergeFiles(byIterator, readProcFiles(pid, -1) ?? []);
  const pairs = (found: readonly HeldFile[]): string[] => found.map(({ fd, file }) => `${fd} ${file}`).sort();
  assert.deepEqual(pairs(merged), pairs(byIterator), 'the files are those the iterator knows');
});

test('a process that is gone has no files in /proc', async () => {
  using holder = await hold('map:hash:4:8:16:pf_ended:0');
  assert.equal(readProcFiles(holder.pid, -1)?.length, 1);
  await holder.release();
  assert.equal(readProcFiles(holder.pid, -1), undefined);
  assert.ok(listPids().includes(1));
  assert.ok(!listPids().includes(process.pid));
});

test('five thousand files are read in some milliseconds', async () => {
  using holder = await hold(...Array.from({ length: 5_000 }, () => 'map:array:4:8:1:pf_many:0'));
  const before = processorMs();
  const found = filesOf(holder.pid);
  const took = processorMs() - before;
  assert.equal(found.size, 5_000);
  assert.deepEqual(
    [...found.values()].map(({ id }) => id).sort(byNumber),
    holder.objects.map(({ id }) => id).sort(byNumber),
  );
  assert.ok(took < 100, `took ${took} ms of processor time`);
});

function byNumber(one: number, other: number): number {
  return one - other;
}
