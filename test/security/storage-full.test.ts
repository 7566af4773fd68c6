import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { testAgent } from '../support/agent.ts';
import { unmountAll } from '../support/bpffs.ts';
import { pinById } from '../support/bpftool.ts';
import { type Ask, type Caller, callerOf } from '../support/caller.ts';
import { disposable } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { databaseOf, sqlite3 } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { treeHash } from '../support/tree-hash.ts';
import { until } from '../support/until.ts';

/** Writes until the file system takes no more. */
function fill(file: string): void {
  const fd = openSync(file, 'w');
  try {
    assert.throws(
      () => {
        for (;;) writeSync(fd, Buffer.alloc(4096));
      },
      { code: 'ENOSPC' },
    );
  } finally {
    closeSync(fd);
  }
}

const reads = ['pins', 'pins/a', 'tree', 'maps', 'events', 'node'].map((name) => `/v1/${name}`);

/** Uses up what room the write-ahead log still has, by changes that are told as done. */
async function useUp(caller: Caller, round: number): Promise<void> {
  for (let number = 0; ; number++) {
    const body = { owner: `${round}-${number}` };
    const answer = await caller.ask({ method: 'PATCH', url: '/v1/pins/c', body });
    if (answer.status === 507) return;
    assert.ok(answer.code === 'ok' && number < 5000, JSON.stringify(answer.body));
  }
}

/** Every change is refused and leaves the bpffs as it is; every read works. */
async function assertFull(caller: Caller, changes: readonly Ask[], bpffsPath: string): Promise<void> {
  const before = treeHash(bpffsPath);
  for (const change of changes) {
    const answer = await caller.ask(change);
    assert.equal(`${answer.status} ${answer.code}`, '507 storage_full', `${change.method} ${change.url}`);
  }
  assert.equal(treeHash(bpffsPath), before, 'the kernel was not touched');
  for (const url of [...reads, '/metrics', '/healthz']) {
    assert.equal((await caller.ask({ method: 'GET', url })).status, 200, url);
  }
}

test('on a full disk changes are 507 before the kernel is touched, reads work, and it heals', async () => {
  using disk = tempDir('full');
  // Room for the first observation of a machine on which other tests have thousands of objects.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=0700', 'pf-full', disk.path]);
  using _unmount = disposable(() => unmountAll(disk.path));
  const stateDir = join(disk.path, 'state');
  mkdirSync(stateDir, { mode: 0o700 });
  using holder = await hold('map:array:4:8:1:pf_full:0', 'map:array:4:8:1:pf_full2:0');
  await using agent = await testAgent({ stateDir });
  using caller = callerOf(agent.socket);
  const [first, second] = holder.objects.map(({ id }) => ({ kind: 'map', id }));
  const pin = (path: string, source = first): Ask => ({
    method: 'PUT',
    url: `/v1/pins/${path}`,
    body: { source },
  });
  for (const path of ['a', 'b', 'c']) assert.equal((await caller.ask(pin(path))).code, 'ok');
  mkdirSync(join(agent.bpffs.path, 'd'));

  const changes: readonly Ask[] = [
    pin('new'),
    { method: 'PUT', url: '/v1/pins/a', body: { source: second, replace: true } },
    { method: 'DELETE', url: '/v1/pins/a' },
    { method: 'PATCH', url: '/v1/pins/a', body: { path: 'z' } },
    { method: 'PATCH', url: '/v1/pins/a', body: { mode: '0644' } },
    { method: 'PUT', url: '/v1/directories/e' },
    { method: 'DELETE', url: '/v1/directories/d' },
    { method: 'POST', url: '/v1/batch', body: { operations: [{ op: 'unpin', path: 'b' }] } },
  ];
  const ballast = join(disk.path, 'ballast');
  for (let round = 0; round < 3; round++) {
    fill(ballast);
    await useUp(caller, round);
    await assertFull(caller, changes, agent.bpffs.path);
    pinById('map', second?.id ?? 0, join(agent.bpffs.path, `foreign${round}`));
    const fresh: Ask = { method: 'GET', url: `/v1/pins/foreign${round}` };
    await until(
      'a foreign pin to be seen on a full disk',
      () => caller.ask(fresh),
      ({ status }) => status === 200,
    );

    truncateSync(ballast, 0);
    const again = pin(`after${round}`);
    await until(
      'changes to work again',
      () => caller.ask(again),
      ({ code }) => code === 'ok',
      { timeoutMs: 30_000 },
    );
  }
  const database = databaseOf(stateDir);
  assert.equal(sqlite3(database, `SELECT count(*) FROM operation WHERE outcome = 'running'`), '0');
  assert.deepEqual(agent.running.kernel.fds.transient(), []);
  const seen = (): Promise<{ readonly body: { readonly items: readonly { readonly path: string }[] } }> =>
    caller.ask({ method: 'GET', url: '/v1/pins?prefix=foreign2' });
  await until('the last foreign pin in the list', seen, ({ body }) => body.items.length === 1);
  assert.equal(sqlite3(database, 'PRAGMA integrity_check'), 'ok');
});
