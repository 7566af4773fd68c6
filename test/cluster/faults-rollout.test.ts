import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import test, { after, afterEach } from 'node:test';
import { historyOf } from '../support/fleet-lab/history.ts';
import { type FleetLab, type LabNode, labNodes, openFleetLab } from '../support/fleet-lab/lab.ts';
import { labPatience, untilSeen } from '../support/fleet-lab/view.ts';
import { rounds } from '../support/rounds.ts';
import { until, untilPasses } from '../support/until.ts';

/** A rollout over three nodes, one at a time, is hurt where it stands; `a` and `b` are managers as well. */
const opening = openFleetLab({ flags: (name) => (name === 'c' ? [] : ['--manager']) });
const set = 'steps';
const allReady = 'a ready, b ready, c ready';
/** The newest generation that was acknowledged. */
let generation = 0;

after(async () => (await opening.catch(() => undefined))?.[Symbol.dispose]());

afterEach(async () => {
  const { network, etcd, nodes } = await opening;
  network.heal();
  for (const { child } of [...Object.values(etcd), ...Object.values(nodes)]) child.kill('SIGCONT');
});

/** What etcd has at a key, by its own tool. */
function stored(lab: FleetLab, key: string): Readonly<Record<string, unknown>> | undefined {
  const text = lab.ctl('e1', 'get', `/pinfold/v1/${key}`, '--print-value-only').trim();
  return text === '' ? undefined : JSON.parse(text);
}

/** Puts the next generation, which wants one more map than the one before, and has it acknowledged. */
async function putNext(manager: LabNode): Promise<void> {
  const map = { type: 'hash', key_size: 4, value_size: 8, max_entries: 16 };
  const pins = Array.from({ length: generation + 1 }, (_, index) => ({ path: `set/g${index + 1}`, map }));
  const rollout = { max_unavailable: 1, canary: 1 };
  const { status, body } = await manager.local
    .put(`/v1/cluster/pinsets/${set}`)
    .send({ all: true, pins, rollout, prune: true });
  assert.ok(status === 200 || status === 201, JSON.stringify(body));
  generation += 1;
}

/** Waits until a node may go to the newest generation, or has been there. */
async function untilOpened(lab: FleetLab, node: string): Promise<void> {
  const look = (): boolean => {
    const { open, state, generation: at } = stored(lab, `rollout/${set}`) ?? {};
    const status = stored(lab, `nodes/${node}/status/${set}`);
    const isOpen = Array.isArray(open) && open.includes(node);
    return at === generation && (isOpen || state === 'done' || status?.['generation'] === generation);
  };
  await until(`${node} to be opened`, look, Boolean, { ...labPatience, everyMs: 20 });
}

/** Who writes rollouts now. */
function leaderOf(lab: FleetLab): { readonly leader: LabNode; readonly other: LabNode } {
  const { a, b } = lab.nodes;
  return JSON.stringify(stored(lab, 'manager/leader')).includes('"b"')
    ? { leader: b, other: a }
    : { leader: a, other: b };
}

/** The rollout is over, and every node has exactly what the newest generation wants. */
async function converged(lab: FleetLab): Promise<void> {
  for (const manager of [lab.nodes.a, lab.nodes.b]) await untilSeen(manager, allReady);
  const wanted = Array.from({ length: generation }, (_, index) => `g${index + 1}`);
  await untilPasses(() => {
    const { state, generation: at } = stored(lab, `rollout/${set}`) ?? {};
    assert.deepEqual(
      [state, at, stored(lab, `desired/${set}`)?.['generation']],
      ['done', generation, generation],
    );
    for (const name of labNodes) {
      const status = stored(lab, `nodes/${name}/status/${set}`);
      assert.deepEqual([status?.['generation'], status?.['state']], [generation, 'ok'], name);
      assert.deepEqual(readdirSync(`${lab.nodes[name].bpffs}/set`).sort(), [...wanted].sort(), name);
    }
  }, labPatience);
}

/** Judged by everything that was ever written: never too many at a time, and nobody ever back. */
async function judge(lab: FleetLab): Promise<void> {
  const newest = new Map<string, number>();
  for (const { key, value } of await historyOf(lab, '/pinfold/v1/')) {
    if (!key.endsWith(`/${set}`)) continue;
    assert.ok(value !== undefined, `${key} went`);
    const at = Number(value['generation']);
    assert.ok(at >= (newest.get(key) ?? 0), `${key} went from ${newest.get(key)} to ${at}`);
    newest.set(key, at);
    const { open = [], state } = value;
    assert.ok(Array.isArray(open) && open.length <= 1, `${JSON.stringify(value)} opens too many`);
    assert.notEqual(state, 'failed', JSON.stringify(value));
  }
  assert.equal(newest.size, 2 + labNodes.length);
}

interface Fault {
  readonly what: string;
  /** The node that has just been opened. */
  readonly at: (typeof labNodes)[number];
  /** Hurts the fleet, waits until that is seen, and gives what heals it. */
  hurt(lab: FleetLab): Promise<() => Promise<unknown> | undefined>;
}

/** One of each kind on every run, the others in the long one. */
const faults: readonly Fault[] = [
  {
    what: 'the leading manager is paused when the canary is opened',
    at: 'a',
    hurt: async (lab) => {
      const { leader, other } = leaderOf(lab);
      leader.child.kill('SIGSTOP');
      const { name } = leader.machine;
      await untilSeen(other, allReady.replace(`${name} ready`, `${name} stale`));
      return async () => leader.child.kill('SIGCONT');
    },
  },
  {
    what: 'the last node is cut off when it is opened',
    at: 'c',
    hurt: async (lab) => {
      lab.network.cut(['c']);
      await untilSeen(leaderOf(lab).other, 'a ready, b ready, c stale');
      return async () => lab.network.heal();
    },
  },
  {
    what: 'the leading manager and the last node are killed halfway',
    at: 'b',
    hurt: async (lab) => {
      const { leader, other } = leaderOf(lab);
      for (const node of [leader, lab.nodes.c]) node.child.kill('SIGKILL');
      const { name } = leader.machine;
      await untilSeen(
        other,
        allReady.replace(`${name} ready`, `${name} stale`).replace('c ready', 'c stale'),
      );
      return async () => await Promise.all([leader.restart(), lab.nodes.c.restart()]);
    },
  },
  {
    what: 'etcd’s majority is cut off when the canary is opened',
    at: 'a',
    hurt: async (lab) => {
      lab.network.cut(['e2', 'e3']);
      await untilSeen(lab.nodes.b, 'a stale, b stale, c stale');
      return async () => lab.network.heal();
    },
  },
  {
    what: 'the leading manager is cut off halfway',
    at: 'b',
    hurt: async (lab) => {
      const { leader, other } = leaderOf(lab);
      const { name } = leader.machine;
      lab.network.cut([name]);
      await untilSeen(other, allReady.replace(`${name} ready`, `${name} stale`));
      return async () => lab.network.heal();
    },
  },
];

const count = rounds(1);
for (let round = 0; round < count; round += 1) {
  for (const { what, at, hurt } of count > 1 ? faults : faults.slice(0, 3)) {
    test(`a rollout goes on from where it was: ${what} (${round})`, async (t) => {
      const lab = await opening;
      for (const manager of [lab.nodes.a, lab.nodes.b]) await untilSeen(manager, allReady);
      await putNext(leaderOf(lab).other);
      await untilOpened(lab, at);
      const heal = await hurt(lab);
      await heal();
      const from = performance.now();
      await converged(lab);
      t.diagnostic(`converged after ${Math.round(performance.now() - from)} ms`);
      await judge(lab);
    });
  }
}
