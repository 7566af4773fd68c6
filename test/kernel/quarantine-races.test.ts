import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import test from 'node:test';
import type { OperationEnvironment } from '../../src/agent/operation/environment.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import type { StepName } from '../../src/model/step.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { rounds } from '../support/rounds.ts';
import { random, testSeed } from '../support/seed.ts';
import { turn } from '../support/turn.ts';
import { benchForFile, stagedIn } from './changes-fixture.ts';
import { endGrace, quarantine, seen } from './quarantine-fixture.ts';

const bench = benchForFile();
const at = (name: string): string => `${bench.bpffs.path}/${name}`;
const seed = testSeed();

/** Claims that come and go between two steps; those of people are tried in test/contract/gc.test.ts. */
const claimed = new Set<string>();
const environment: OperationEnvironment = {
  ...bench.environment,
  claims: {
    ...bench.environment.claims,
    release: (...of) => bench.environment.claims.release(...of),
    claimsOf: ({ path }) => (claimed.has(path) ? [{ owner: 'racer', claim: 'c1' }] : []),
  },
};

/** Every moment between the plan and the last count after the final unlink. */
const moments = [
  'planned',
  'quarantine.checked',
  'quarantine.intent_committed',
  'quarantine.moved_aside',
  'quarantine.checked_again',
  'quarantine.settled',
  'in quarantine',
  'discard.checked',
  'discard.intent_committed',
  'discard.checked_again',
  'discard.unlinked',
] as const satisfies readonly (StepName | 'planned' | 'in quarantine')[];

/** Takes the object by its id, as any process with CAP_SYS_ADMIN can at any time; a reference of its own. */
function holderOf(id: number): Disposable {
  return bench.kernel.objects.holdById('map', id);
}

/** Goes all the way from the plan to the end of grace; what somebody needs by then has its name back. */
async function collect(name: string, atMoment: (moment: (typeof moments)[number]) => void): Promise<void> {
  const pin = seen(environment, name);
  bench.onStep = (step) => {
    const moment = moments.find((each) => each === step);
    if (moment !== undefined) atMoment(moment);
  };
  atMoment('planned');
  try {
    quarantine(environment, pin);
  } catch (error) {
    if (!isPinfoldError(error, 'conflict')) throw error;
  }
  atMoment('in quarantine');
  await endGrace(environment);
  bench.onStep = () => undefined;
}

test('a holder or claim that comes at any moment before the end has the name given back', async () => {
  const times = rounds(2 * moments.length * 2);
  for (let round = 0; round < times; round++) {
    const moment = moments[round % moments.length];
    const isClaim = Math.floor(round / moments.length) % 2 === 1;
    const { id } = createMap(at('raced'));
    let holder: Disposable | undefined;
    await collect('raced', (reached) => {
      if (reached !== moment || holder !== undefined) return;
      if (isClaim) claimed.add('raced');
      else holder = holderOf(id);
    });
    const what = `${isClaim ? 'a claim' : 'a holder'} at ${moment}, round ${round}`;
    assert.equal(existsSync(at('raced')), true, `its name is back: ${what}`);
    if (round % 20 < 2) assert.equal(pinnedMap(at('raced')).id, id, what);
    assert.equal(isAlive('map', id), true, what);
    assert.deepEqual(stagedIn(bench), [], what);
    assert.equal(bench.store.quarantine.count({}), 0, what);
    holder?.[Symbol.dispose]();
    claimed.clear();
    execFileSync('rm', [at('raced')]);
  }
});

test('whenever a process takes the object, it lives for that process', async () => {
  const source = random(seed);
  using racer = await hold();
  const times = rounds(20);
  let kept = 0;
  for (let round = 0; round < times; round++) {
    const { id } = createMap(at('free'));
    const taking = racer.refusal(`id:map:${id}`);
    for (let turns = source.int(4); turns > 0; turns--) await turn();
    await collect('free', () => undefined);
    const what = `seed ${seed}, round ${round}`;
    if ((await taking) === undefined) assert.equal(isAlive('map', id), true, what);
    assert.deepEqual(stagedIn(bench), [], what);
    if (!existsSync(at('free'))) continue;
    kept += 1;
    assert.equal(pinnedMap(at('free')).id, id, what);
    execFileSync('rm', [at('free')]);
  }
  process.stdout.write(`# ${kept} of ${times} were kept for who came in time\n`);
});
