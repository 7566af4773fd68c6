import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import test from 'node:test';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { until } from '../support/until.ts';
import { asking, benchForFile, failsWith, openBench, path } from './changes-fixture.ts';

const bench = benchForFile();
const { changes } = bench;
const at = (name: string): string => `${bench.bpffs.path}/${name}`;

test('a map is pinned by its id, and bpftool finds the same map under the name', async () => {
  using holder = await hold('map:hash:4:8:16:pf_pin:0');
  const id = holder.objects[0]?.id ?? 0;
  const source = { kind: 'map', id } as const;
  const result = changes.pin(path('by-id'), undefined, { source }, asking());
  assert.equal(result.created, true);
  assert.equal(result.pin?.id, id);
  assert.equal(pinnedMap(at('by-id')).id, id);
  assert.equal(statSync(at('by-id')).mode & 0o7777, 0o600);
  const operation = changes.operation(result.operationId ?? '');
  assert.equal(operation?.outcome, 'applied');
  assert.equal(operation?.actor, 'api:test');
  assert.deepEqual(operation?.subject, { mount: result.pin?.mount, path: 'by-id' });
});

test('the pin keeps the object when its maker dies', async () => {
  const holder = await hold('map:array:4:8:1:pf_kept:0');
  const id = holder.objects[0]?.id ?? 0;
  changes.pin(path('kept'), undefined, { source: { kind: 'map', id } }, asking());
  await holder.release();
  assert.equal(isAlive('map', id), true);
  execFileSync('rm', [at('kept')]);
  await until('the map is freed', () => !isAlive('map', id));
});

test('the same request again changes nothing, and one with other attributes changes only those', async () => {
  using holder = await hold('map:hash:4:8:16:pf_again:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  const first = changes.pin(
    path('again'),
    undefined,
    { source, labels: { app: 'x' }, owner: 'me' },
    asking(),
  );
  const inode = statSync(at('again')).ino;
  const second = changes.pin(path('again'), undefined, { source }, asking());
  assert.equal(second.created, false);
  assert.equal(second.operationId, undefined);
  assert.deepEqual(second.pin, first.pin);
  const third = changes.pin(path('again'), undefined, { source, mode: '0640' }, asking());
  assert.equal(third.pin?.mode, '0640');
  assert.deepEqual(third.pin?.labels, { app: 'x' });
  assert.equal(third.pin?.owner, 'me');
  assert.equal(statSync(at('again')).ino, inode);
  assert.equal(statSync(at('again')).mode & 0o7777, 0o640);
});

test('a name that holds another object is refused with both identities', () => {
  const there = createMap(at('taken'), { name: 'pf_there' });
  const other = createMap(at('other'), { name: 'pf_other' });
  assert.throws(
    () => changes.pin(path('taken'), undefined, { source: { pin: 'other' } }, asking()),
    (thrown) => failsWith('pin_exists')(thrown) && failsIds(thrown, [there.id, other.id]),
  );
  assert.equal(pinnedMap(at('taken')).id, there.id);
});

function failsIds(thrown: unknown, ids: readonly number[]): boolean {
  const { details } = thrown as { details: { existing: { id: number }; requested: { id: number } } };
  assert.deepEqual([details.existing.id, details.requested.id], ids);
  return true;
}

test('a pin gets its mode, owner and group before its name appears', async () => {
  using holder = await hold('map:hash:4:8:16:pf_modes:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  let seen = '';
  bench.onStep = (step) => {
    if (step === 'pin.named') {
      const { mode, uid, gid } = statSync(at('modes'));
      seen = `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
    }
  };
  const result = changes.pin(
    path('modes'),
    undefined,
    { source, mode: '0644', uid: 1000, gid: 1001 },
    asking(),
  );
  bench.onStep = () => undefined;
  assert.equal(seen, '644 1000:1001');
  assert.deepEqual([result.pin?.mode, result.pin?.uid, result.pin?.gid], ['0644', 1000, 1001]);
});

test('a setgid directory gives its group, also through directories that are made on the way', async () => {
  using holder = await hold('map:hash:4:8:16:pf_setgid:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  mkdirSync(at('shared'));
  chownSync(at('shared'), 0, 1234);
  chmodSync(at('shared'), 0o2770);
  changes.pin(path('shared/direct'), undefined, { source }, asking());
  changes.pin(path('shared/a/b/deep'), undefined, { source, parents: true }, asking());
  assert.equal(statSync(at('shared/direct')).gid, 1234);
  assert.equal(statSync(at('shared/a/b')).gid, 1234);
  assert.equal(statSync(at('shared/a/b/deep')).gid, 1234);
});

test('missing directories are made only if they may be, and go again when the pin fails', async () => {
  using holder = await hold('map:hash:4:8:16:pf_parents:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  const pin = (parents: boolean) => changes.pin(path('p/q/r'), undefined, { source, parents }, asking());
  assert.throws(() => pin(false), failsWith('parent_not_found'));
  bench.onStep = (step) => {
    if (step === 'pin.named') throw new Error('a defect at this step');
  };
  assert.throws(() => pin(true), /a defect at this step/);
  bench.onStep = () => undefined;
  assert.equal(existsSync(at('p')), false);
  assert.equal(pin(true).created, true);
  assert.equal(pinnedMap(at('p/q/r')).id, source.id);
});

test('a source may be a pin of this or another instance, or a descriptor of a process', async () => {
  using elsewhere = openBench();
  const made = createMap(`${elsewhere.bpffs.path}/there`, { name: 'pf_elsewhere' });
  const mount = elsewhere.environment.mounts.findMount(undefined).id;
  changes.pin(path('from-other'), undefined, { source: { pin: 'there', mount } }, asking());
  assert.equal(pinnedMap(at('from-other')).id, made.id);
  changes.pin(path('from-here'), undefined, { source: { pin: 'from-other' } }, asking());
  assert.equal(pinnedMap(at('from-here')).id, made.id);

  using holder = await hold('map:hash:4:8:16:pf_byfd:0');
  const [held] = holder.objects;
  const source = { pid: holder.pid, fd: held?.fd ?? -1 };
  changes.pin(path('from-fd'), undefined, { source }, asking());
  assert.equal(pinnedMap(at('from-fd')).id, held?.id);
});

test('a source that is not what the caller expects is refused before anything is changed', async () => {
  using holder = await hold('map:hash:4:8:16:pf_expect:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  const pin = (expect: object) =>
    changes.pin(path('expected'), undefined, { source: { ...source, expect } }, asking());
  for (const expect of [
    { name: 'other' },
    { type: 'array' },
    { kind: 'program' },
    { tag: 'x' },
    { fingerprint: 'f' },
  ]) {
    assert.throws(() => pin(expect), failsWith('source_mismatch'));
  }
  assert.equal(existsSync(at('expected')), false);
  assert.equal(pin({ name: 'pf_expect', type: 'hash', kind: 'map' }).created, true);
});

test('a source that is not there is told from a pin that is not there', () => {
  for (const source of [{ kind: 'map', id: 0x7ffffffe } as const, { pin: 'nowhere' }, { pin: 'no/where' }]) {
    assert.throws(
      () => changes.pin(path('x'), undefined, { source }, asking()),
      failsWith('source_not_found'),
    );
  }
});

test('create-only and If-Match are compared before anything is changed', () => {
  const made = createMap(at('conditions'), { name: 'pf_cond' });
  const source = { kind: 'map', id: made.id } as const;
  const pin = (name: string, context: Parameters<typeof asking>[0]) =>
    changes.pin(path(name), undefined, { source, mode: '0644' }, asking(context));
  assert.throws(() => pin('conditions', { createOnly: true }), failsWith('precondition_failed'));
  assert.throws(() => pin('conditions', { ifMatch: '"other"' }), failsWith('precondition_failed'));
  assert.throws(() => pin('missing', { ifMatch: '*' }), failsWith('precondition_failed'));
  assert.equal(statSync(at('conditions')).mode & 0o777, 0o600);
  const etag = changes.pin(path('conditions'), undefined, { source }, asking()).pin?.etag ?? '';
  assert.equal(pin('conditions', { ifMatch: `"other", ${etag}` }).pin?.mode, '0644');
  assert.throws(() => pin('conditions', { ifMatch: etag }), failsWith('precondition_failed'));
  assert.equal(pin('created', { createOnly: true }).created, true);
});

test('a dry run says what would be done and does nothing, not even make the staging directory', async () => {
  using fresh = openBench();
  using holder = await hold('map:hash:4:8:16:pf_dry:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  const request = { source, parents: true };
  const result = fresh.changes.pin(path('a/b'), undefined, request, asking({ dryRun: true }));
  assert.deepEqual(
    result.plan?.map(({ action, path: where, hazards }) => [action, where, hazards]),
    [['pin', 'a/b', []]],
  );
  assert.equal(result.operationId, undefined);
  assert.deepEqual(
    readdirSync(fresh.bpffs.path).filter((name) => !name.endsWith('.debug')),
    [],
  );
  assert.deepEqual(fresh.steps, []);
});

test('a name that appears meanwhile is not taken', async () => {
  using holder = await hold('map:hash:4:8:16:pf_race:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  let foreign = 0;
  bench.onStep = (step) => {
    if (step === 'pin.attributes_set') foreign = createMap(at('raced'), { name: 'pf_foreign' }).id;
  };
  assert.throws(() => changes.pin(path('raced'), undefined, { source }, asking()), failsWith('pin_exists'));
  bench.onStep = () => undefined;
  assert.equal(pinnedMap(at('raced')).id, foreign);
});

test('a pin that somebody puts over ours before it is settled stays theirs', async () => {
  using holder = await hold('map:hash:4:8:16:pf_over:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  const foreign = createMap(at('theirs'), { name: 'pf_theirs' });
  bench.onStep = (step) => {
    if (step !== 'pin.named') return;
    execFileSync('mv', [at('theirs'), at('overwritten')]);
    throw new Error('a defect at this step');
  };
  assert.throws(() => changes.pin(path('overwritten'), undefined, { source }, asking()), /a defect/);
  bench.onStep = () => undefined;
  assert.equal(pinnedMap(at('overwritten')).id, foreign.id);
});

test('a read-only agent refuses every change before it looks at anything', () => {
  using reader = openBench({ isReadOnly: true });
  const source = { kind: 'map', id: 1 } as const;
  assert.throws(
    () => reader.changes.pin(path('x'), 'no:mount', { source }, asking()),
    failsWith('read_only'),
  );
  assert.throws(() => reader.changes.unpin(path('x'), undefined, asking()), failsWith('read_only'));
  assert.throws(() => reader.changes.batch([], undefined, asking()), failsWith('read_only'));
});

test('an agent that uses only pins refuses ids and says what to name instead', async () => {
  using agent = openBench({ usesIds: false });
  createMap(`${agent.bpffs.path}/m`);
  assert.throws(
    () => agent.changes.pin(path('x'), undefined, { source: { kind: 'map', id: 1 } }, asking()),
    failsWith('not_supported'),
  );
  assert.equal(agent.changes.pin(path('x'), undefined, { source: { pin: 'm' } }, asking()).created, true);
});
