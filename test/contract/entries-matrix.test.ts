import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { compileBpf, compileC } from '../support/c-program.ts';
import { disposable } from '../support/disposal.ts';
import { type FilledMaps, mapsOf } from '../support/entries.ts';
import { start } from '../support/process.ts';
import { bpftoolDump, streamOf } from './entries-fixture.ts';

/** Room in each map of test/support/c/entries-types.c. */
const most = 8;

/**
 * Where bpftool is wrong: it prints `[]`, some with success, or an error in the place of each value, for maps
 * of which the kernel tells nothing. A socket has a cookie only where values have eight bytes.
 */
const unreadable = new Set([
  ...['queue', 'b_queue', 'stack', 'b_stack', 'bloom', 'b_bloom', 'ringbuf', 'user_ringbuf', 'arena'],
  ...['perf_events', 'cgroup_array', 'xskmap', 'sockmap_fds', 'sockhash_fds', 'reuseport_fds'],
  ...['b_sk_storage', 'b_inode_storage', 'b_task_storage', 'b_cgrp_storage'],
]);

/** Maps whose every slot has a value from the beginning. */
const alwaysFull = new Set(['array', 'pcpu_array', 'b_array', 'b_mmapable', 'b_pcpu_array', 'b_inner']);

/** Maps that get one entry from a program, or none. */
const filledByPrograms = new Set(['b_stack_trace', 'b_cgroup_storage', 'b_pcpu_cgroup_storage']);
const alwaysEmpty = new Set(['stack_trace', 'cgroup_storage', 'pcpu_cgroup_storage']);

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

for (const { count, isFrozen } of [
  { count: 0, isFrozen: false },
  { count: 1, isFrozen: false },
  { count: most, isFrozen: false },
  { count: most, isFrozen: true },
]) {
  const what = `${isFrozen ? 'frozen ' : ''}maps of every type with ${count} entries`;
  test(`${what} are what bpftool prints where it is right`, async () => {
    using maps = await everyType(count, isFrozen);
    assert.ok(maps.names.length > 60);
    for (const name of maps.names) {
      if (unreadable.has(name)) await assertRefused(name, maps.id(name));
      else await assertAgrees(name, maps.id(name), count);
    }
  });
}

async function assertAgrees(name: string, id: number, count: number): Promise<void> {
  const { lines, summary } = await streamOf(agent, id, '?format=bpftool');
  // bpftool shows a slot that has nothing in it as an error in the place of its value; here it is left out.
  const noValue = '"value":{"error":"No such file or directory"}';
  const expected = bpftoolDump(id).items.filter((item) => !item.includes(noValue));
  assert.deepEqual([...lines].sort(), expected, name);
  assert.equal(summary['complete'], true, name);
  assert.ok(isExpected(name, lines.length, count), `${name} has ${lines.length} entries`);
  // Two ways to write the same: code in a stream, closures in a page.
  const written = await streamOf(agent, id);
  const page = await agent.local.get(`/v1/maps/${id}/entries`).expect(200);
  assert.deepEqual(
    written.lines.map((line) => JSON.parse(line)),
    page.body.items,
    name,
  );
}

function isExpected(name: string, found: number, count: number): boolean {
  if (alwaysFull.has(name)) return found === (name === 'b_inner' ? 2 : most);
  if (alwaysEmpty.has(name)) return found === 0;
  if (filledByPrograms.has(name)) return found === Math.min(count, 1);
  // A CPU map has no more entries than there are CPUs, and an LRU map may have let some go.
  if (/cpumap|lru/.test(name)) return found <= count && found >= Math.min(count, 1);
  return found === count;
}

async function assertRefused(name: string, id: number): Promise<void> {
  for (const accept of ['application/json', 'application/x-ndjson']) {
    const answer = await agent.local.get(`/v1/maps/${id}/entries?format=bpftool`).set('accept', accept);
    assert.equal(answer.status, 409, name);
    const problem = JSON.parse(answer.text);
    assert.equal(problem.code, 'not_readable', name);
    assert.match(problem.detail, /cannot be read: .{20,}|need 8/, name);
  }
  // What it says in its place is never an entry.
  const { items } = bpftoolDump(id);
  assert.deepEqual(
    items.filter((item) => !item.includes('"value":{"error":')),
    [],
    name,
  );
}

/** Runs test/support/c/entries-types.c, with a cgroup of its own. */
async function everyType(count: number, isFrozen: boolean): Promise<FilledMaps> {
  const cgroup = `/sys/fs/cgroup/unified/pf-matrix-${process.pid}`;
  mkdirSync(cgroup);
  const release = disposable(() => rmdirSync(cgroup));
  const args = [compileBpf('entries-types'), String(count), isFrozen ? '1' : '0', cgroup];
  try {
    const maps = await mapsOf(start(compileC('entries-types'), args));
    return {
      ...maps,
      [Symbol.dispose]: () => {
        maps[Symbol.dispose]();
        release[Symbol.dispose]();
      },
    };
  } catch (error) {
    release[Symbol.dispose]();
    throw error;
  }
}
