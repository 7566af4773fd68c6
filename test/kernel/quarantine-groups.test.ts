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
const patience = { timeoutMs: 60_000 };
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
const pathsKept = () => records().map(({ path }) => path);
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

/** Tries until nobody else on this machine looks at one of the objects in passing, which keeps its pin. */
async function undisturbed(attempt: () => boolean): Promise<void> {
  await until('nobody looks', attempt, Boolean, { ...patience, everyMs: 1 });
}

/** Has all of these put into quarantine. */
async function putAside(names: Iterable<string>): Promise<void> {
  let left = [...names];
  await undisturbed(() => {
    const codes = together(aside(left));
    left = left.filter((_, index) => codes[index] !== 'ok');
    return left.length === 0;
  });
}

function removeAll(names: Iterable<string>): void {
  for (const name of names) if (existsSync(at(name))) execFileSync('rm', [at(name)]);
}

test('pins go into quarantine, out of it and away for good in groups of one transaction each', async () => {
  const count = limits.changesAGroupMax;
  const maps = mapsAt(count);
  const each = (value: unknown): readonly unknown[] => Array(count).fill(value);
  await undisturbed(() => {
    let codes: readonly string[] = [];
    const open = openAt('quarantine.moved_aside', () => {
      codes = together(aside([...maps.keys()]));
    });
    if (codes.every((code) => code === 'ok')) assert.deepEqual(open, each(count));
    else together(back());
    return stagedIn(bench).length === count;
  });
  assert.deepEqual(
    openAt('restore.named', () => assert.deepEqual(together(back()), each('ok'))),
    each(count),
  );
  for (const [name, id] of maps) assert.equal(pinnedMap(at(name)).id, id);
  await putAside(maps.keys());
  const ids = new Set(records().map(({ id }) => id));
  await undisturbed(() => {
    const left = records().length;
    let codes: readonly string[] = [];
    const open = openAt('discard.intent_committed', () => {
      codes = together(away());
    });
    if (left === ids.size && codes.every((code) => code === 'ok')) assert.deepEqual(open, each(count));
    return records().length === 0;
  });
  const isGone = (): boolean => [...maps.values()].every((id) => !isAlive('map', id));
  await until('the maps are freed', isGone, Boolean, patience);
});

const moments = [
  ['aside', 'quarantine.intent_committed', 1],
  ['aside', 'quarantine.moved_aside', 1],
  ['aside', 'quarantine.moved_aside', 3],
  ['away', 'discard.intent_committed', 1],
  ['away', 'discard.unlinked', 1],
  ['away', 'discard.unlinked', 3],
] as const;

for (const moment of moments) {
  const [doing, step, nth] = moment;
  for (const who of ['holder', 'claim'] as const) {
    test(`a ${who} at ${step} (${nth}) of a group keeps the third, and nothing but the third`, async () => {
      await undisturbed(() => {
        const maps = mapsAt(5);
        const codes = interfere(moment, who, maps);
        const isAside = codes.length === 5;
        // Others may keep a pin by looking at it; nobody may let this one go.
        if (isAside) assert.equal(codes[2], 'conflict');
        const isAlone = isAside && codes.filter((code) => code === 'ok').length === 4;
        if (isAlone) assert.equal(existsSync(at('g2')), doing === 'aside');
        if (isAlone) assert.deepEqual(pathsKept(), doing === 'away' ? ['g2'] : ['g0', 'g1', 'g3', 'g4']);
        assert.ok(together(back()).every((code) => code === 'ok'));
        assert.equal(pinnedMap(at('g2')).id, maps.get('g2'));
        removeAll(maps.keys());
        return isAlone;
      });
    });
  }
}

/** What each of a group came to, where somebody comes for the third; nothing where it did not come so far. */
function interfere(
  [doing, step, nth]: (typeof moments)[number],
  who: 'holder' | 'claim',
  maps: ReadonlyMap<string, number>,
): readonly string[] {
  const names = [...maps.keys()];
  if (doing === 'away' && together(aside(names)).some((code) => code !== 'ok')) return [];
  const asking = doing === 'away' ? away() : aside(names);
  let holder: Disposable | undefined;
  atNth(step, nth, () => {
    if (who === 'claim') claimed.add('g2');
    else holder = bench.kernel.objects.holdById('map', maps.get('g2') ?? 0);
  });
  const codes = together(asking);
  const hasCome = claimed.has('g2') || holder !== undefined;
  bench.onStep = () => undefined;
  claimed.clear();
  holder?.[Symbol.dispose]();
  return hasCome ? codes : [];
}

test('pins of a directory that somebody has removed come back together, and it is made once', async () => {
  mkdirSync(at('d'));
  mkdirSync(at('e'));
  const maps = new Map([...mapsAt(3, 'd/'), ...mapsAt(2, 'e/')]);
  await putAside(maps.keys());
  execFileSync('rmdir', [at('d')]);
  assert.deepEqual(together(back()), Array(5).fill('ok'));
  for (const [name, id] of maps) assert.equal(pinnedMap(at(name)).id, id);
  execFileSync('rm', ['-r', at('d'), at('e')]);
});

test('where a name is taken, or two want it, one stays in quarantine and the others come back', async () => {
  const maps = mapsAt(4);
  await putAside(maps.keys());
  const { id: other } = createMap(at('g1'));
  await putAside(['g1']);
  mkdirSync(at('g3'));
  const codes = together(back()).toSorted();
  assert.deepEqual(codes, ['is_a_directory', 'ok', 'ok', 'ok', 'pin_exists']);
  assert.deepEqual(pathsKept().toSorted(), ['g1', 'g3']);
  execFileSync('rmdir', [at('g3')]);
  assert.equal(pinnedMap(at('g1')).id, maps.get('g1'), 'who came first');
  execFileSync('rm', [at('g1')]);
  assert.deepEqual(together(back()), ['ok', 'ok']);
  assert.deepEqual([pinnedMap(at('g1')).id, pinnedMap(at('g3')).id], [other, maps.get('g3')]);
  removeAll(maps.keys());
});

test('two names of one inode come back as two names of one inode', async () => {
  const { id } = createMap(at('one'));
  linkSync(at('one'), at('two'));
  const [one, two] = [seen(environment, 'one'), seen(environment, 'two')];
  await undisturbed(() => together([quarantining(environment, one, { others: [two] })])[0] === 'ok');
  await putAside(['two']);
  assert.deepEqual(together(back()), ['ok', 'ok']);
  const inodes = execFileSync('stat', ['-c', '%i %h', at('one'), at('two')], { encoding: 'utf8' });
  assert.deepEqual(inodes.trim().split('\n'), Array(2).fill(`${one.inode.inode} 2`));
  assert.equal(pinnedMap(at('two')).id, id);
  execFileSync('rm', [at('one'), at('two')]);
});
