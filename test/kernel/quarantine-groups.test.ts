import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync } from 'node:fs';
import test from 'node:test';
import { carryOut } from '../../src/agent/operation/carry-out.ts';
import type { OperationEnvironment } from '../../src/agent/operation/environment.ts';
import type { ChangeRequest } from '../../src/agent/operation/request.ts';
import { discardRequest, restoreRequest } from '../../src/agent/quarantine/plan-quarantine.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { sqlite3 } from '../support/store.ts';
import { until } from '../support/until.ts';
import { asking, benchForFile, stagedIn } from './changes-fixture.ts';
import { anyAge, quarantining, seen } from './quarantine-fixture.ts';

const bench = benchForFile();
const at = (name: string): string => `${bench.bpffs.path}/${name}`;
const asked = { mount: undefined, context: asking({ accept: new Set(['last_reference']) }) };

/** Claims that appear between two steps. */
const claimed = new Set<string>();
const environment: OperationEnvironment = {
  ...bench.environment,
  claims: {
    ...bench.environment.claims,
    release: (...of) => bench.environment.claims.release(...of),
    claimsOf: ({ path }) => (claimed.has(path) ? [{ owner: 'racer', claim: 'c1' }] : []),
  },
};

/** What each came to: `ok`, or the code of its refusal. */
function together(requests: readonly ChangeRequest[]): readonly string[] {
  return carryOut(environment, requests).map((done) => {
    if ('result' in done) return 'ok';
    if (isPinfoldError(done.error)) return done.error.code;
    throw done.error;
  });
}

const aside = (names: readonly string[]) =>
  names.map((name) => quarantining(environment, seen(environment, name)));
const records = () => environment.store.quarantine.list({ limit: 1000 }).map(({ record }) => record);
const back = () => records().map((record) => restoreRequest(record, asked));
const away = () =>
  records().map((record) => discardRequest(record, { minAgeMs: 0, ageMs: anyAge, kin: [] }, asked));

/** How many intents are open on disk, each time a step is passed. */
function openAt(step: string, act: () => void): readonly number[] {
  const counts: number[] = [];
  bench.onStep = (reached) => {
    const sql = `SELECT count(*) FROM operation WHERE outcome = 'running'`;
    if (reached === step) counts.push(Number(sqlite3(bench.database, sql)));
  };
  act();
  bench.onStep = () => undefined;
  return counts;
}

/** Does something when a step is passed for the nth time. */
function atNth(step: string, nth: number, act: () => void): void {
  let passed = 0;
  bench.onStep = (reached) => {
    if (reached === step && ++passed === nth) act();
  };
}

const mapsAt = (count: number, directory = ''): ReadonlyMap<string, number> =>
  new Map(
    Array.from({ length: count }, (_, index) => {
      const name = `${directory}g${index}`;
      return [name, createMap(at(name)).id];
    }),
  );

test('pins go into quarantine, out of it and away for good in groups of one transaction each', async () => {
  const count = limits.changesAGroupMax;
  const maps = mapsAt(count);
  const all = (what: () => readonly ChangeRequest[]) => () =>
    assert.deepEqual(together(what()), Array(count).fill('ok'));
  const moving = openAt(
    'quarantine.moved_aside',
    all(() => aside([...maps.keys()])),
  );
  assert.deepEqual([moving, stagedIn(bench).length], [Array(count).fill(count), count]);
  assert.deepEqual(openAt('restore.named', all(back)), Array(count).fill(count));
  for (const [name, id] of maps) assert.equal(pinnedMap(at(name)).id, id);
  all(() => aside([...maps.keys()]))();
  assert.deepEqual(openAt('discard.unlinked', all(away)), Array(count).fill(count));
  for (const id of maps.values()) await until('the map is freed', () => !isAlive('map', id));
});

const moments = [
  ['aside', 'quarantine.intent_committed', 1],
  ['aside', 'quarantine.moved_aside', 1],
  ['aside', 'quarantine.moved_aside', 3],
  ['away', 'discard.intent_committed', 1],
  ['away', 'discard.unlinked', 1],
  ['away', 'discard.unlinked', 3],
] as const;

for (const [doing, step, nth] of moments) {
  for (const who of ['holder', 'claim'] as const) {
    test(`a ${who} at ${step} (${nth}) of a group keeps the third, and nothing but the third`, () => {
      const maps = mapsAt(5);
      const id = maps.get('g2') ?? 0;
      if (doing === 'away') together(aside([...maps.keys()]));
      let holder: Disposable | undefined;
      atNth(step, nth, () => {
        if (who === 'claim') claimed.add('g2');
        else holder = bench.kernel.objects.holdById('map', id);
      });
      const codes = together(doing === 'away' ? away() : aside([...maps.keys()]));
      bench.onStep = () => undefined;
      assert.deepEqual(codes, ['ok', 'ok', 'conflict', 'ok', 'ok']);
      assert.equal(existsSync(at('g2')), doing === 'aside');
      assert.deepEqual(
        records().map(({ path }) => path),
        doing === 'away' ? ['g2'] : ['g0', 'g1', 'g3', 'g4'],
      );
      claimed.clear();
      assert.ok(together(back()).every((code) => code === 'ok'));
      assert.equal(pinnedMap(at('g2')).id, id);
      holder?.[Symbol.dispose]();
      for (const name of maps.keys()) if (existsSync(at(name))) execFileSync('rm', [at(name)]);
    });
  }
}

test('pins of a directory that somebody has removed come back together, and it is made once', () => {
  mkdirSync(at('d'));
  mkdirSync(at('e'));
  const maps = new Map([...mapsAt(3, 'd/'), ...mapsAt(2, 'e/')]);
  assert.ok(together(aside([...maps.keys()])).every((code) => code === 'ok'));
  execFileSync('rmdir', [at('d')]);
  assert.deepEqual(together(back()), Array(5).fill('ok'));
  for (const [name, id] of maps) assert.equal(pinnedMap(at(name)).id, id);
  execFileSync('rm', ['-r', at('d'), at('e')]);
});

test('where a name is taken, or two want it, one of a group stays in quarantine and the others come back', () => {
  const maps = mapsAt(4);
  together(aside([...maps.keys()]));
  const { id: other } = createMap(at('g1'));
  assert.deepEqual(together(aside(['g1'])), ['ok']);
  mkdirSync(at('g3'));
  assert.deepEqual(together(back()), ['ok', 'ok', 'ok', 'is_a_directory', 'pin_exists']);
  assert.deepEqual(
    records().map(({ path }) => path),
    ['g3', 'g1'],
  );
  execFileSync('rmdir', [at('g3')]);
  execFileSync('rm', [at('g1')]);
  assert.deepEqual(together(back()), ['ok', 'ok']);
  assert.deepEqual([pinnedMap(at('g1')).id, pinnedMap(at('g3')).id], [other, maps.get('g3')]);
  for (const name of maps.keys()) execFileSync('rm', [at(name)]);
});

test('two names of one inode come back as two names of one inode', () => {
  const { id } = createMap(at('one'));
  linkSync(at('one'), at('two'));
  const [one, two] = [seen(environment, 'one'), seen(environment, 'two')];
  assert.deepEqual(together([quarantining(environment, one, { others: [two] })]), ['ok']);
  assert.deepEqual(together([quarantining(environment, seen(environment, 'two'))]), ['ok']);
  assert.deepEqual(together(back()), ['ok', 'ok']);
  const inodes = execFileSync('stat', ['-c', '%i %h', at('one'), at('two')], { encoding: 'utf8' });
  assert.deepEqual(inodes.trim().split('\n'), Array(2).fill(`${one.inode.inode} 2`));
  assert.equal(pinnedMap(at('two')).id, id);
  execFileSync('rm', [at('one'), at('two')]);
});
