import assert from 'node:assert/strict';
import test from 'node:test';
import type { StepName } from '../../src/model/step.ts';
import { killNow } from '../kernel/changes-fixture.ts';
import { rounds } from '../support/rounds.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import {
  assertTidy,
  initialPins,
  pinsOf,
  restart,
  runVictim,
  type Scene,
  setScene,
} from './support/scene.ts';
import type { Change } from './support/victim.ts';

const times = rounds(3);

/** Four changes of different pins, which share their transactions. */
function changesOf(scene: Scene): readonly Change[] {
  const source = { kind: 'map', id: scene.fresh } as const;
  return [
    { do: 'pin', path: 'one', request: { source } },
    { do: 'unpin', path: 'old' },
    { do: 'pin', path: 'other', request: { source, replace: true } },
    { do: 'pin', path: 'two', request: { source, mode: '0640' } },
  ];
}

/** What each leads to where it is applied. */
const effects: Readonly<Record<string, (names: Map<string, number>, scene: Scene) => unknown>> = {
  one: (names, { fresh }) => names.set('one', fresh),
  old: (names) => names.delete('old'),
  other: (names, { fresh }) => names.set('other', fresh),
  two: (names, { fresh }) => names.set('two', fresh),
};

const deaths: readonly (readonly [step: StepName, nth: number])[] = [
  ['pin.source_held', 2],
  ['pin.intent_committed', 1],
  ['pin.staged', 1],
  ['pin.named', 1],
  ['unpin.intent_committed', 1],
  ['unpin.moved_aside', 1],
  ['unpin.unlinked', 1],
  ['unpin.counted', 1],
  ['replace.staged', 1],
  ['replace.exchanged', 1],
  ['replace.displaced_unlinked', 1],
  ['pin.staged', 2],
  ['pin.attributes_set', 2],
  ['pin.named', 2],
  ['pin.settled', 1],
  ['pin.settled', 2],
];

for (const [step, nth] of deaths) {
  test(`killed in a group at ${step}, passing ${nth}: each change is whole or not done`, async () => {
    for (let round = 0; round < times; round++) await dieOnce({ step, nth }, round % 2 === 1);
  });
}

async function dieOnce(
  { step, nth }: { readonly step: StepName; readonly nth: number },
  sourceDies: boolean,
): Promise<void> {
  using scene = await setScene();
  const names = new Map(initialPins(scene));
  assert.ok(runVictim(scene, { dieAt: step, nth, changes: changesOf(scene) }), `${step} was reached`);
  if (sourceDies) killNow(scene.source.pid);
  assert.deepEqual(restart(scene).waiting, []);
  assertTidy(scene);
  const operations = operationsOf(scene);
  assert.equal(operations.length, step === 'pin.source_held' ? 0 : 4);
  for (const { path, outcome } of operations) {
    assert.ok(outcome === 'applied' || outcome === 'not_applied', `${path} is ${outcome}`);
    if (outcome === 'applied') effects[path]?.(names, scene);
  }
  assert.deepEqual(pinsOf(scene), new Map([...names].sort(([a], [b]) => (a < b ? -1 : 1))));
  assert.deepEqual(restart(scene).settled, [], 'a second start finds nothing to do');
}

function operationsOf(scene: Scene): readonly { readonly path: string; readonly outcome: string }[] {
  const sql = `SELECT subject ->> 'path' AS path, outcome FROM operation ORDER BY seq`;
  return sqlite3Rows(databaseOf(scene.stateDir), sql).map(({ path, outcome }) => ({
    path: String(path),
    outcome: String(outcome),
  }));
}
