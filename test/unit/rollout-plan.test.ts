import assert from 'node:assert/strict';
import test from 'node:test';
import { countsOf, nodesOf } from '../../src/cluster/pinset/manager/documents.ts';
import { parseClusterName } from '../../src/model/cluster/key.ts';
import { nobodyOf } from '../../src/model/cluster/pinset/nobody.ts';
import { failuresOf, planRollout } from '../../src/model/cluster/pinset/rollout.ts';
import type { RolloutNode } from '../../src/model/cluster/pinset/standing.ts';
import type {
  DesiredDocument,
  PinSet,
  PinSetStatus,
  RolloutDocument,
} from '../../src/model/schema/pinset.ts';

const time = '2026-11-23T10:00:00.000Z';

function wanted(generation: number, spec: PinSet = {}, more: Partial<DesiredDocument> = {}): DesiredDocument {
  return { generation, spec: { selector: { role: 'edge' }, ...spec }, time, actor: 'test', ...more };
}

function status(generation: number, state: PinSetStatus['state'] = 'ok', seen = generation): PinSetStatus {
  return { generation, seen, state, drifts: [], time };
}

/** Nodes by name: what they say, and how they are where they are not ready. */
function fleet(
  said: Readonly<Record<string, PinSetStatus | RolloutNode['state'] | undefined>>,
): RolloutNode[] {
  return Object.entries(said).map(([name, what]) => ({
    name,
    labels: { role: 'edge' },
    state: typeof what === 'string' ? what : 'ready',
    status: typeof what === 'string' ? undefined : what,
  }));
}

/** `state [open]`, and what else there is to say. */
function shown({ state, open, reason, tolerated, settling }: RolloutDocument): string {
  const parts = [state, `[${open.join(' ')}]`, reason];
  if (tolerated !== undefined) parts.push(`tolerated ${tolerated.join(' ')}`);
  if (settling !== undefined) parts.push(`settling ${settling.join(' ')}`);
  return parts.filter((part) => part !== undefined).join(' ');
}

function plan(
  desired: DesiredDocument,
  nodes: readonly RolloutNode[],
  current?: RolloutDocument,
): RolloutDocument {
  return planRollout({ desired, nodes, current, time });
}

test('canaries go first and alone, then as many as may change at a time, by name, until all are done', () => {
  const desired = wanted(3, { rollout: { canary: 1, max_unavailable: 2 } });
  const said: Record<string, PinSetStatus> = { d: status(2), c: status(2), b: status(2), a: status(2) };
  let rollout = plan(desired, fleet(said));
  assert.equal(shown(rollout), 'progressing [a]');
  assert.equal(plan(desired, fleet(said), rollout), rollout, 'nothing changes until a node says something');
  said['a'] = status(3, 'progressing');
  rollout = plan(desired, fleet(said), rollout);
  assert.equal(shown(rollout), 'progressing [a]');
  said['a'] = status(3);
  rollout = plan(desired, fleet(said), rollout);
  assert.equal(shown(rollout), 'progressing [b c]');
  said['c'] = status(3);
  rollout = plan(desired, fleet(said), rollout);
  assert.equal(shown(rollout), 'progressing [b d]');
  said['b'] = status(3);
  said['d'] = status(3);
  rollout = plan(desired, fleet(said), rollout);
  assert.equal(shown(rollout), 'done []');
  const late = fleet({ ...said, e: undefined });
  assert.equal(plan(desired, late, rollout), rollout, 'who comes later needs no gate');
});

test('one node changes at a time unless told, and only nodes with the labels', () => {
  const nodes = [
    ...fleet({ b: undefined, c: status(1) }),
    { name: 'a', labels: { role: 'core' }, state: 'ready' as const, status: undefined },
  ];
  assert.equal(shown(plan(wanted(1), nodes)), 'progressing [b]');
  assert.equal(shown(plan(wanted(1, { selector: {} }), nodes)), 'done []', 'no labels mean no node');
  assert.equal(shown(plan(wanted(1, { selector: {}, all: true }), nodes)), 'progressing [a]');
});

test('what is only observed, and what was deleted, needs no gate', () => {
  const nodes = fleet({ a: status(1), b: status(1) });
  const midway: RolloutDocument = {
    generation: 1,
    state: 'progressing',
    open: ['a'],
    started_at: time,
    time,
  };
  assert.equal(shown(plan(wanted(2, { mode: 'observe' }), nodes, midway)), 'done []');
  assert.equal(shown(plan(wanted(2, {}, { deleted: true }), nodes, midway)), 'done []');
});

test('nodes that are not ready take from what may change, and are not opened', () => {
  const said = { a: 'stale' as const, b: undefined, c: undefined, d: undefined };
  const two = wanted(1, { rollout: { max_unavailable: 2 } });
  assert.equal(shown(plan(two, fleet(said))), 'progressing [b]');
  assert.equal(shown(plan(wanted(1), fleet(said))), 'progressing []');
  assert.equal(shown(plan(wanted(1), fleet({ ...said, a: 'gone' }))), 'progressing [b]');
});

test('a node that is stale is waited for, and one that is gone keeps it from its end', () => {
  const well = { b: status(1), c: status(1) };
  const open: RolloutDocument = { generation: 1, state: 'progressing', open: [], started_at: time, time };
  assert.equal(shown(plan(wanted(1), fleet({ a: 'stale', ...well }), open)), 'progressing []');
  const waits = 'progressing [] waits for nodes that are gone: a';
  const waiting = plan(wanted(1), fleet({ a: 'gone', ...well }), open);
  assert.equal(shown(waiting), waits);
  assert.equal(plan(wanted(1), fleet({ a: 'gone', ...well }), waiting), waiting);
  assert.equal(shown(plan(wanted(1), fleet({ a: undefined, ...well }), waiting)), 'progressing [a]');
  assert.equal(shown(plan(wanted(1), fleet(well), waiting)), 'done []', 'a person has had it forgotten');
});

test('nodes that were all gone go within what may change once they are back', () => {
  const gone = plan(wanted(2), fleet({ a: 'gone', b: 'gone', c: 'gone' }));
  assert.equal(shown(gone), 'progressing [] waits for nodes that are gone: a, b, c');
  const back = plan(wanted(2), fleet({ a: status(1), b: status(1), c: status(1) }), gone);
  assert.equal(shown(back), 'progressing [a]');
});

test('where no node has the labels yet, the first that comes goes through the gate', () => {
  const none = plan(wanted(1), []);
  assert.equal(shown(none), 'progressing [] no node has these labels yet');
  assert.equal(shown(plan(wanted(1), fleet({ a: undefined, b: undefined }), none)), 'progressing [a]');
  assert.equal(shown(plan(wanted(1, { selector: {} }), [])), 'done []', 'no labels never mean any');
});

test('why a set is meant for nobody is told with the labels that nodes do have', () => {
  const nodes = [{ labels: { role: 'edge', zone: 'a' } }, { labels: { role: 'core' } }];
  assert.equal(nobodyOf({ selector: { role: 'core' } }, nodes), undefined);
  assert.equal(nobodyOf({ all: true }, nodes), undefined);
  assert.equal(
    nobodyOf({ selector: { constructor: 'x' } }, nodes),
    'no node has constructor=x: no node has a label constructor',
  );
  assert.equal(nobodyOf({ all: true }, []), 'no node is known yet');
  assert.equal(nobodyOf({ selector: {} }, nodes), 'it names no labels, and does not say all: true');
  assert.equal(
    nobodyOf({ selector: { role: 'edgy', rack: '1' } }, nodes),
    'no node has role=edgy,rack=1: role is core, edge where nodes have it; no node has a label rack',
  );
  const many = Array.from({ length: 7 }, (_, at) => ({ labels: { role: `r${at}` } }));
  assert.match(nobodyOf({ selector: { role: 'x' } }, many) ?? '', /role is r0, r1, r2, r3, r4, … where/);
});

test('a person’s pause is kept while all that are left are gone, and when they are back', () => {
  const desired = wanted(2, { rollout: { canary: 1 } });
  const paused: RolloutDocument = {
    ...{ generation: 2, state: 'paused', open: [], reason: 'paused by alice', paused_by: 'alice' },
    ...{ started_at: time, time },
  };
  const alone = plan(desired, fleet({ a: status(2), b: 'gone', c: 'gone' }), paused);
  assert.equal(shown(alone), 'paused [] paused by alice');
  const back = plan(desired, fleet({ a: status(2), b: status(1), c: status(1) }), alone);
  assert.equal(shown(back), 'paused [] paused by alice');
  assert.equal(shown(plan(desired, fleet({ a: status(2) }), paused)), 'paused [] paused by alice');
});

test('a node that goes while it changes has failed, unless failures are meant not to pause', () => {
  const open: RolloutDocument = { generation: 1, state: 'progressing', open: ['a'], started_at: time, time };
  const nodes = fleet({ a: 'gone', b: undefined });
  assert.equal(shown(plan(wanted(1), nodes, open)), 'paused [a] failed: a (gone since it was opened)');
  const bold = wanted(1, { rollout: { pause_on_failure: false } });
  assert.equal(shown(plan(bold, nodes, open)), 'progressing [b]');
});

test('a failure pauses, with why; what was opened before goes on; resuming goes on over it', () => {
  const desired = wanted(2, { rollout: { max_unavailable: 2 } });
  const said: Record<string, PinSetStatus> = {
    a: { ...status(2, 'failed'), detail: 'no memory' },
    b: status(1),
    c: status(1),
    d: status(1),
  };
  const open: RolloutDocument = {
    ...{ generation: 2, state: 'progressing', open: ['a', 'b'], started_at: time, time },
  };
  const paused = plan(desired, fleet(said), open);
  assert.equal(shown(paused), 'paused [a b] failed: a (no memory)');
  said['b'] = status(2);
  const still = plan(desired, fleet(said), paused);
  assert.equal(shown(still), 'paused [a] failed: a (no memory)');
  said['a'] = status(2, 'progressing');
  assert.equal(shown(plan(desired, fleet(said), still)), shown(still), 'trying again is not being well');

  said['a'] = status(2, 'failed');
  assert.deepEqual(failuresOf(still, { desired, nodes: fleet(said), current: still, time }), ['a']);
  const { reason: _, ...rest } = still;
  const resumed = plan(desired, fleet(said), { ...rest, state: 'progressing', tolerated: ['a'] });
  assert.equal(shown(resumed), 'progressing [c d] tolerated a');
  said['c'] = said['d'] = status(2);
  assert.equal(shown(plan(desired, fleet(said), resumed)), 'done []');
  said['a'] = status(2);
  const healed = plan(desired, fleet({ ...said, d: status(1) }), resumed);
  assert.equal(shown(healed), 'progressing [d]', 'who is well again is not tolerated any more');
});

test('a pause because of a failure ends when all that were opened are well after all', () => {
  const paused: RolloutDocument = {
    ...{ generation: 2, state: 'paused', open: ['a'], reason: 'failed: a', started_at: time, time },
  };
  const nodes = fleet({ a: status(2), b: status(1) });
  assert.equal(shown(plan(wanted(2), nodes, paused)), 'progressing [b]');
});

test('a person’s pause ends by a person only, and opens nobody', () => {
  const paused: RolloutDocument = {
    ...{ generation: 2, state: 'paused', open: ['a'], reason: 'paused by api:ci', paused_by: 'api:ci' },
    ...{ started_at: time, time },
  };
  const said = { a: status(2), b: status(1) };
  assert.equal(shown(plan(wanted(2), fleet(said), paused)), 'paused [] paused by api:ci');
  const next = plan(wanted(3), fleet(said), paused);
  assert.equal(shown(next), 'progressing [a]', 'a new generation begins anew');
});

test('drift of what was applied is a failure, drift of what was before is not', () => {
  const desired = wanted(2, { rollout: { max_unavailable: 1 } });
  const drift = { path: 'tc/acl', code: 'wrong_type' };
  const drifted = { ...status(2, 'drifted'), drifts: [drift] };
  const open: RolloutDocument = { generation: 2, state: 'progressing', open: ['a'], started_at: time, time };
  assert.equal(
    shown(plan(desired, fleet({ a: drifted, b: status(1) }), open)),
    'paused [a] failed: a (tc/acl wrong_type)',
  );
  const before = fleet({ a: status(1), b: status(1, 'drifted') });
  assert.equal(shown(plan(desired, before)), 'progressing [b]', 'who is not well anyway goes first');
});

test('without pausing, failures use up what may change, and then it is paused', () => {
  const desired = wanted(2, { rollout: { max_unavailable: 2, pause_on_failure: false } });
  const said: Record<string, PinSetStatus> = { a: status(2, 'failed'), b: status(1), c: status(1) };
  const open: RolloutDocument = { generation: 2, state: 'progressing', open: ['a'], started_at: time, time };
  const going = plan(desired, fleet(said), open);
  assert.equal(shown(going), 'progressing [a b]');
  said['b'] = status(2, 'failed');
  assert.equal(shown(plan(desired, fleet(said), going)), 'paused [a b] failed: a, b');
  const canary = wanted(2, { rollout: { canary: 1, max_unavailable: 2, pause_on_failure: false } });
  const alone = fleet({ a: status(2, 'failed'), b: status(1), c: status(1) });
  assert.equal(shown(plan(canary, alone, open)), 'paused [a] failed: a', 'a canary must be well');
});

test('nodes that a former generation was opened to count until they say that they know better', () => {
  const desired = wanted(3, { rollout: { max_unavailable: 2 } });
  const former: RolloutDocument = {
    ...{ generation: 2, state: 'progressing', open: ['b', 'c'], started_at: time, time },
  };
  const said: Record<string, PinSetStatus> = { a: status(1), b: status(1), c: status(1) };
  const begun = plan(desired, fleet(said), former);
  assert.equal(shown(begun), 'progressing [b c]', 'they are changing anyway');
  const one = wanted(3, { rollout: { max_unavailable: 2, canary: 1 } });
  const alone = plan(one, fleet(said), former);
  assert.equal(shown(alone), 'progressing [b] settling c');
  said['c'] = status(1, 'ok', 3);
  assert.equal(shown(plan(one, fleet(said), alone)), 'progressing [b]');
  said['c'] = status(2, 'progressing', 3);
  assert.equal(shown(plan(one, fleet(said), alone)), 'progressing [b] settling c');
});

test('nodes ahead of the store are left alone', () => {
  const nodes = fleet({ a: status(9), b: status(1), c: { ...status(2), ahead_of_store: true } });
  const open = plan(wanted(2), nodes);
  assert.equal(shown(open), 'progressing [b]');
  assert.equal(shown(plan(wanted(2), fleet({ a: status(9), b: status(2) }), open)), 'done []');
});

test('who was well with the generation before is not told as done with one that has not begun', () => {
  const nodes = fleet({ a: status(1), b: status(1) });
  const rollout: RolloutDocument = { generation: 1, state: 'done', open: [], started_at: time, time };
  const name = parseClusterName('edge-acl', 'pin set');
  const told = (generation: number) =>
    countsOf(nodesOf({ name, desired: wanted(generation), rollout, nodes })).done;
  assert.deepEqual([told(1), told(2)], [2, 0]);
});
