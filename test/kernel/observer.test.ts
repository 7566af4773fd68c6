import assert from 'node:assert/strict';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import test from 'node:test';
import { parsePath } from '../../src/model/path.ts';
import type { PinDocument } from '../../src/model/schema/pin.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { nameChanger } from '../support/name-changes.ts';
import { everyPin, mountId, startAgent, type TestAgent } from '../support/observed.ts';
import { operatorContext } from '../support/operator.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';

/** "Within a second", where the machine is not busy with others. */
const patience = { timeoutMs: 60_000, everyMs: 50 };
const many = 1000;

/** What has changed since a sequence number; what was thought of it (findings) is left out. */
function changesSince(observed: TestAgent, mount: string, since: number) {
  const events = observed.store.events.list({ mount, afterSeq: since, limit: 10_000 });
  return events.filter(({ type }) => !type.startsWith('finding.'));
}

/** The changes since a sequence number, once there are as many as expected. */
async function newEvents(observed: TestAgent, mount: string, since: number, expected: number) {
  const seen = () => changesSince(observed, mount, since);
  const events = await until(`${expected} events`, seen, (list) => list.length >= expected, patience);
  await observed.agent.reads.refresh();
  return seen().length === events.length ? events : seen();
}

function pathsOf(events: readonly { subject: { path?: string } }[]): string[] {
  return events.map(({ subject }) => subject.path ?? '').sort();
}

function numbered(name: string): string[] {
  return Array.from({ length: many }, (_, number) => `${name}${number}`).sort();
}

test('a thousand foreign changes of each sort are one event each, on the right name', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  for (const name of ['one', 'two']) mkdirSync(`${bpffs.path}/${name}`);
  using changer = await nameChanger(bpffs.path);
  await using observed = await startAgent(bpffs.path, dir.path);
  const mount = mountId(bpffs.dev);
  const expectOnly = async (instruction: string, type: string, names: readonly string[]) => {
    const since = observed.store.events.lastSeq();
    const began = performance.now();
    await changer.tell(instruction);
    const events = await newEvents(observed, mount, since, many);
    assert.deepEqual(
      pathsOf(events),
      names,
      `${instruction} (after ${Math.round(performance.now() - began)} ms)`,
    );
    assert.deepEqual([...new Set(events.map((event) => event.type))], [type]);
    // Where others on the machine change more names than the kernel has room to tell, nobody is named.
    const named = `uid:0 pid:${changer.pid} comm:name-changes`;
    for (const { actor } of events) assert.ok(actor === named || actor === 'kernel', actor);
    return events;
  };

  const created = await expectOnly(`make ${many} one/a`, 'pin.created', numbered('one/a'));
  assert.equal(created[0]?.before, null);
  await expectOnly(`replace ${many} one/a`, 'pin.replaced', numbered('one/a'));
  await expectOnly(`swap ${many} one/a`, 'pin.replaced', numbered('one/a'));
  const renamed = await expectOnly(`rename ${many} one/a two/b`, 'pin.renamed', numbered('two/b'));
  assert.match(String(renamed[0]?.before?.['path']), /^one\/a/);
  assert.equal(renamed[0]?.before?.['inode'], renamed[0]?.after?.['inode']);
  const linked = await expectOnly(`link ${many} two/b two/c`, 'pin.created', numbered('two/c'));
  assert.equal(linked[0]?.after?.['links'], 2);
  await expectOnly(
    `chmod ${many} two/c 640`,
    'pin.changed',
    [...numbered('two/b'), ...numbered('two/c')].sort(),
  );
  await expectOnly(`remove ${many} two/c`, 'pin.removed', numbered('two/c'));

  const pins = everyPin(observed.agent);
  assert.deepEqual(
    pins.map(({ path }) => path),
    readdirSync(`${bpffs.path}/two`)
      .map((name) => `two/${name}`)
      .sort(),
  );
  assert.ok(
    pins.every(({ links }) => links === 1),
    'the links that went are not counted any more',
  );
});

test('a rename over another pin is one replacement that tells where the pin came from', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  createMap(`${bpffs.path}/a`, { name: 'pf_a' });
  createMap(`${bpffs.path}/b`, { name: 'pf_b' });
  await using observed = await startAgent(bpffs.path, dir.path);
  const since = observed.store.events.lastSeq();
  renameSync(`${bpffs.path}/a`, `${bpffs.path}/b`);
  const [event, ...more] = await newEvents(observed, mountId(bpffs.dev), since, 1);
  assert.equal(event?.type, 'pin.replaced');
  assert.deepEqual(
    [event?.subject.path, event?.before?.['name'], event?.after?.['name']],
    ['b', 'pf_b', 'pf_a'],
  );
  assert.deepEqual(event?.after?.['renamed_from'], { path: 'a' });
  assert.deepEqual(more, []);
});

test('a renamed directory takes its pins along, one rename each, and is still watched', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  mkdirSync(`${bpffs.path}/old/deep`, { recursive: true });
  createMap(`${bpffs.path}/old/one`);
  createMap(`${bpffs.path}/old/deep/two`);
  await using observed = await startAgent(bpffs.path, dir.path);
  const mount = mountId(bpffs.dev);
  let since = observed.store.events.lastSeq();
  renameSync(`${bpffs.path}/old`, `${bpffs.path}/new`);
  const renamed = await newEvents(observed, mount, since, 2);
  assert.deepEqual(
    renamed.map(({ type }) => type),
    ['pin.renamed', 'pin.renamed'],
  );
  assert.deepEqual(pathsOf(renamed), ['new/deep/two', 'new/one']);
  const tree = () =>
    observed.agent.reads.tree({ mount: undefined }, { after: undefined, limit: 100 }).value.items;
  assert.deepEqual(
    tree().map(({ path }) => path),
    ['new', 'new/deep', 'new/deep/two', 'new/one'],
  );

  since = observed.store.events.lastSeq();
  createMap(`${bpffs.path}/new/deep/three`);
  assert.deepEqual(pathsOf(await newEvents(observed, mount, since, 1)), ['new/deep/three']);
});

test('a mode, an owner, a directory and a symbolic link are seen', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  createMap(`${bpffs.path}/map`);
  await using observed = await startAgent(bpffs.path, dir.path);
  const since = observed.store.events.lastSeq();
  chmodSync(`${bpffs.path}/map`, 0o640);
  const [event] = await newEvents(observed, mountId(bpffs.dev), since, 1);
  assert.equal(event?.type, 'pin.changed');
  assert.deepEqual([event?.before?.['mode'], event?.after?.['mode']], ['0600', '0640']);

  mkdirSync(`${bpffs.path}/dir`, { mode: 0o750 });
  symlinkSync('dir/target', `${bpffs.path}/link`);
  const shown = () =>
    observed.agent.reads
      .tree({ mount: undefined }, { after: undefined, limit: 100 })
      .value.items.map(({ path, entry, target, mode }) => [path, entry, target, mode]);
  await untilPasses(
    () =>
      assert.deepEqual(shown(), [
        ['dir', 'directory', undefined, '0750'],
        ['link', 'symlink', 'dir/target', '0777'],
        ['map', 'pin', undefined, '0640'],
      ]),
    patience,
  );
  rmdirSync(`${bpffs.path}/dir`);
  unlinkSync(`${bpffs.path}/link`);
  await untilPasses(
    () =>
      assert.deepEqual(
        shown().map(([path]) => path),
        ['map'],
      ),
    patience,
  );
});

test('a map nobody pins appears and is gone, each one event, and its record has both times', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  await using observed = await startAgent(bpffs.path, dir.path);
  const holder = await hold('map:hash:4:8:16:pf_unpinned:0');
  const id = holder.objects[0]?.id ?? 0;
  const events = () =>
    observed.store.events.list({ kind: 'map', id, limit: 10 }).map(({ type, actor }) => [type, actor]);
  await untilPasses(() => assert.deepEqual(events(), [['object.appeared', 'kernel']]), patience);
  await untilPasses(() => {
    const { refcnt, usercnt, pins } = observed.agent.reads.object('map', id).value.references;
    assert.deepEqual([refcnt, usercnt, pins], [1, 1, 0]);
  });

  await holder.release();
  await until('the map to be freed', () => !isAlive('map', id));
  await untilPasses(
    () =>
      assert.deepEqual(events(), [
        ['object.appeared', 'kernel'],
        ['object.gone', 'kernel'],
      ]),
    { timeoutMs: 30_000 },
  );
  const [record] = observed.store.objects.history('map', id, 1);
  assert.notEqual(record?.goneAt, null);
  assert.throws(() => observed.agent.reads.object('map', id), { code: 'object_not_found' });
});

test('names of hostile bytes are listed byte for byte, and come and go like any other', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  const names = [
    'new\nline',
    'esc\x1b[31m',
    ' ',
    '*',
    '\\',
    '%2F',
    '\xff\xfe',
    'é'.repeat(100),
    'x'.repeat(255),
  ];
  await using observed = await startAgent(bpffs.path, dir.path);
  const bytesOf = (name: string) => Buffer.from(name, name.includes('é') ? 'utf8' : 'latin1');
  const since = observed.store.events.lastSeq();
  createMap(`${bpffs.path}/first`);
  const [first] = await newEvents(observed, mountId(bpffs.dev), since, 1);
  assert.equal(first?.subject.path, 'first');
  for (const name of names) {
    const path = Buffer.concat([Buffer.from(`${bpffs.path}/`), bytesOf(name)]);
    linkSync(`${bpffs.path}/first`, path);
  }
  const listed = () =>
    everyPin(observed.agent).map(({ path, path_bytes }) =>
      (path_bytes === undefined ? Buffer.from(path) : Buffer.from(path_bytes, 'base64')).toString('latin1'),
    );
  const there = () =>
    readdirSync(bpffs.path, { encoding: 'buffer' })
      .map((name) => name.toString('latin1'))
      .filter((name) => !name.endsWith('.debug'))
      .sort();
  await untilPasses(() => assert.deepEqual(listed(), there()), patience);
});

test('what operations do is seen at once and told once', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  createMap(`${bpffs.path}/source`, { name: 'pf_source' });
  await using observed = await startAgent(bpffs.path, dir.path);
  const { reads } = observed.agent;
  const since = observed.store.events.lastSeq();
  const source = everyPin(observed.agent)[0];
  assert.ok(source !== undefined);
  await observed.agent.changes.pin(
    parsePath('dir/copy'),
    undefined,
    {
      source: { pin: 'source' },
      parents: true,
      labels: { a: 'b' },
      owner: 'me',
    },
    operatorContext,
  );
  const shown = (pin: PinDocument) => [pin.path, pin.id, pin.owner, pin.managed];
  assert.deepEqual(everyPin(observed.agent).map(shown), [
    ['dir/copy', source.id, 'me', true],
    ['source', source.id, null, false],
  ]);
  const tree = reads.tree({ mount: undefined }, { after: undefined, limit: 10 }).value.items;
  assert.deepEqual(
    tree.map(({ path }) => path),
    ['dir', 'dir/copy', 'source'],
  );
  const etag = everyPin(observed.agent)[0]?.etag;
  assert.equal(reads.pin(parsePath('dir/copy'), undefined).value.etag, etag);

  await reads.refresh();
  await reads.refresh();
  const events = changesSince(observed, mountId(bpffs.dev), since);
  assert.deepEqual(
    events.map(({ type, actor, subject }) => [type, actor, subject.path]),
    [['pin.created', 'api:test', 'dir/copy']],
  );
  assert.equal(
    reads.pin(parsePath('source'), undefined).value.etag,
    source.etag,
    'the staging directory changed no tag',
  );

  renameSync(`${bpffs.path}/dir/copy`, `${bpffs.path}/moved`);
  await untilPasses(
    () => assert.deepEqual(everyPin(observed.agent).map(shown)[0], ['moved', source.id, 'me', true]),
    patience,
  );
  assert.equal(pinnedMap(`${bpffs.path}/moved`).id, source.id);
  assert.equal(statSync(`${bpffs.path}/moved`).ino, everyPin(observed.agent)[0]?.inode);
});
