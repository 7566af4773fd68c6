import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isPinfoldError } from '../../src/model/error.ts';
import type { StepName } from '../../src/model/step.ts';
import { mountBpffs, unmountAll } from '../support/bpffs.ts';
import { pinnedMap } from '../support/bpftool.ts';
import { disposable } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { mountId, startAgent } from '../support/observed.ts';
import { databaseOf, sqlite3 } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';
import { asking, path } from './changes-fixture.ts';

/** Writes until the file system takes no more. */
function fill(file: string): void {
  const fd = openSync(file, 'a');
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  } catch (error) {
    assert.equal(Object(error).code, 'ENOSPC');
  } finally {
    closeSync(fd);
  }
}

test('what a full disk left unsettled is settled as soon as there is room, and told once', async () => {
  using bpffs = mountBpffs();
  using disk = tempDir('unsettled');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=0700', 'pf-unsettled', disk.path]);
  using _unmount = disposable(() => unmountAll(disk.path));
  const stateDir = join(disk.path, 'state');
  mkdirSync(stateDir, { mode: 0o700 });
  const ballast = join(disk.path, 'ballast');
  let fullAt: StepName | undefined;
  using holder = await hold('map:hash:4:8:16:pf_full:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  await using agent = await startAgent(bpffs.path, stateDir, {
    onStep: (step) => {
      if (step === fullAt) fill(ballast);
    },
    onFailure: (error) => assert.ok(isPinfoldError(error, 'storage_full')),
  });
  const { changes } = agent.agent;
  const told = (name: string): readonly unknown[] =>
    agent
      .eventsOf(mountId(bpffs.dev))
      .filter(({ subject }) => subject.path === name)
      .map(({ type, actor, operation_id }) => [type, actor, operation_id]);

  for (const way of ['by the next look', 'by the next change'] as const) {
    let name = '';
    let refusal: unknown;
    fullAt = 'pin.named';
    // What room the log has already is used up first: outcomes fit into it, and then not even intents.
    for (let number = 0; number < 3000 && !isPinfoldError(refusal, 'outcome_unknown'); number++) {
      if (isPinfoldError(refusal, 'storage_full')) truncateSync(ballast, 0);
      name = `${way.replaceAll(' ', '_')}_${number}`;
      refusal = await changes.pin(path(name), undefined, { source }, asking()).catch((error) => error);
    }
    fullAt = undefined;
    assert.ok(isPinfoldError(refusal, 'outcome_unknown'), String(refusal));
    const id = String(refusal.details.operation_id);
    assert.equal(pinnedMap(`${bpffs.path}/${name}`).id, source.id);
    assert.equal(changes.operation(id)?.outcome, 'running');

    truncateSync(ballast, 0);
    if (way === 'by the next change') await changes.unpin(path(name), undefined, asking());
    await untilPasses(() => {
      assert.equal(changes.operation(id)?.outcome, 'applied', way);
    });
    assert.deepEqual(told(name)[0], ['pin.created', 'api:test', id]);
    assert.equal(told(name).length, way === 'by the next change' ? 2 : 1);
  }
  const open = `SELECT count(*) FROM operation WHERE outcome = 'running'`;
  assert.equal(sqlite3(databaseOf(stateDir), open), '0');
});
