import assert from 'node:assert/strict';
import { mkdirSync, renameSync } from 'node:fs';
import test from 'node:test';
import { parsePath } from '../../src/model/path.ts';
import { mountBpffs, unmountAll } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { nameChanger } from '../support/name-changes.ts';
import { everyPin, mountId, startAgent } from '../support/observed.ts';
import { operatorContext } from '../support/operator.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const many = 1000;

/** How many events of each type and actor there are, as `type actor`. */
function tally(events: readonly { type: string; actor: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type, actor } of events) counts[`${type} ${actor}`] = (counts[`${type} ${actor}`] ?? 0) + 1;
  return counts;
}

test('what changed while the agent was down is told as the net difference, by an unknown actor', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  const mount = mountId(bpffs.dev);
  using changer = await nameChanger(bpffs.path);
  for (const name of ['kept', 'removed', 'replaced', 'renamed', 'linked', 'moded'])
    await changer.tell(`make ${many} ${name}`);
  const first = await startAgent(bpffs.path, dir.path);
  const since = first.store.events.lastSeq();
  await first.stop();

  await changer.tell(`make ${many} added`);
  await changer.tell(`make ${many} passing`);
  await changer.tell(`remove ${many} passing`);
  await changer.tell(`remove ${many} removed`);
  await changer.tell(`swap ${many} replaced`);
  await changer.tell(`rename ${many} renamed between`);
  await changer.tell(`rename ${many} between renamed_to`);
  await changer.tell(`link ${many} linked linked_too`);
  await changer.tell(`chmod ${many} moded 644`);

  await using second = await startAgent(bpffs.path, dir.path);
  const events = second.store.events.list({ mount, afterSeq: since, limit: 100_000 });
  assert.deepEqual(tally(events), {
    'mount.appeared unknown': 1,
    'pin.created unknown': 2 * many,
    'pin.removed unknown': many,
    'pin.replaced unknown': many,
    'pin.renamed unknown': many,
    'pin.changed unknown': many,
  });
  const ofType = (type: string) =>
    events.filter((event) => event.type === type).map(({ subject }) => subject.path);
  assert.ok(ofType('pin.renamed').every((path) => path?.startsWith('renamed_to')));
  assert.ok(ofType('pin.created').every((path) => /^(added|linked_too)\d+$/.test(path ?? '')));
  assert.equal(everyPin(second.agent).length, 7 * many);
  const present = `gone_at IS NULL AND mount = '${mount}'`;
  const rows = sqlite3Rows(databaseOf(dir.path), `SELECT count(*) AS pins FROM pin WHERE ${present}`);
  assert.deepEqual(rows, [{ pins: 7 * many }]);
});

test('an agent that finds everything as it left it has nothing to tell', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  mkdirSync(`${bpffs.path}/dir`);
  createMap(`${bpffs.path}/dir/map`);
  using holder = await hold('map:hash:4:8:16:pf_held:0');
  const id = holder.objects[0]?.id ?? 0;
  const first = await startAgent(bpffs.path, dir.path);
  const seen = everyPin(first.agent);
  const since = first.store.events.lastSeq();
  await first.stop();
  await using second = await startAgent(bpffs.path, dir.path);
  const about = (query: object) => second.store.events.list({ ...query, afterSeq: since, limit: 100 });
  assert.deepEqual(tally(about({ mount: mountId(bpffs.dev) })), { 'mount.appeared unknown': 1 });
  assert.deepEqual(about({ kind: 'map', id }), []);
  assert.deepEqual(tally(about({ types: ['node.started', 'node.stopped'] })), {
    'node.stopped kernel': 1,
    'node.started kernel': 1,
  });
  assert.deepEqual(everyPin(second.agent), seen, 'the same documents, tags and first_seen too');
});

test('pins of an instance that is gone were removed, and its number may come again', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  createMap(`${bpffs.path}/lost`, { name: 'pf_lost' });
  const first = await startAgent(bpffs.path, dir.path);
  const since = first.store.events.lastSeq();
  await first.stop();
  unmountAll(bpffs.path);
  await using second = await startAgent(bpffs.path, dir.path);
  const events = second.store.events.list({
    mount: mountId(bpffs.dev),
    path: 'lost',
    afterSeq: since,
    limit: 10,
  });
  assert.deepEqual(tally(events), { 'pin.removed unknown': 1 });
  assert.equal(events[0]?.before?.['name'], 'pf_lost');
  assert.throws(() => everyPin(second.agent), { code: 'mount_unavailable' });
});

test('labels and owner follow a rename made meanwhile, and end with a replacement', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  for (const name of ['a', 'b']) createMap(`${bpffs.path}/${name}`);
  const first = await startAgent(bpffs.path, dir.path);
  for (const pin of everyPin(first.agent)) {
    await first.agent.changes.patch(
      parsePath(pin.path),
      undefined,
      { labels: { was: pin.path }, owner: 'me' },
      operatorContext,
    );
  }
  await first.stop();
  renameSync(`${bpffs.path}/a`, `${bpffs.path}/c`);
  createMap(`${bpffs.path}/new`);
  renameSync(`${bpffs.path}/new`, `${bpffs.path}/b`);
  await using second = await startAgent(bpffs.path, dir.path);
  assert.deepEqual(
    everyPin(second.agent).map(({ path, labels, owner }) => [path, labels, owner]),
    [
      ['b', {}, null],
      ['c', { was: 'a' }, 'me'],
    ],
  );
});
