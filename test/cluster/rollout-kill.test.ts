import assert from 'node:assert/strict';
import { extname } from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import { type ClusterName, clusterKey, parseClusterName } from '../../src/model/cluster/key.ts';
import { parseRollout } from '../../src/model/cluster/pinset/documents.ts';
import type { PinSet, RolloutDocument } from '../../src/model/schema/pinset.ts';
import { startEtcd } from '../support/etcd.ts';
import { type Child, start } from '../support/process.ts';
import { rounds } from '../support/rounds.ts';
import { toldNodes } from '../support/told-nodes.ts';
import { until } from '../support/until.ts';

const patience = { timeoutMs: 60_000, everyMs: 20 };
const script = fileURLToPath(new URL(`../support/manager-child${extname(import.meta.url)}`, import.meta.url));
const name = parseClusterName('edge-acl', 'pin set');
const names = ['a', 'b', 'c', 'd', 'e'];

const opening = open();
after(async () => {
  const { store, etcd } = await opening;
  await store.close();
  etcd[Symbol.dispose]();
});

async function open() {
  const etcd = await startEtcd(3);
  return {
    etcd,
    store: openEtcdStore({ urls: etcd.urls, tls: { ca: undefined, cert: undefined, key: undefined } }),
  };
}

async function startManager(manager: string, when: string): Promise<Child> {
  const { etcd } = await opening;
  const runner = extname(script) === '.ts' ? ['--import', 'tsx'] : [];
  return start(process.execPath, [...runner, script, manager, when, ...etcd.urls]);
}

async function want(set: ClusterName, generation: number, spec: PinSet): Promise<void> {
  const { store } = await opening;
  const value = JSON.stringify({ generation, spec, time: new Date().toISOString(), actor: 'test' });
  await store.txn({ conditions: [], changes: [{ put: clusterKey('desired', set), value }] });
}

async function rollout(set: ClusterName): Promise<RolloutDocument | undefined> {
  const { store } = await opening;
  const { value } = await store.get(clusterKey('rollout', set));
  return value === undefined ? undefined : parseRollout(value.value);
}

async function untilDone(set: ClusterName, generation: number): Promise<void> {
  const isDone = (seen: RolloutDocument | undefined): boolean =>
    seen?.state === 'done' && seen.generation === generation;
  await until(`generation ${generation} of ${set}`, () => rollout(set), isDone, patience);
}

/** The lease of one that was killed ends by itself after some seconds; the test does not wait for each. */
async function endLeadership(): Promise<void> {
  const { store } = await opening;
  await store.txn({ conditions: [], changes: [{ delete: clusterKey('manager', 'leader') }] });
}

/** Where managers are killed, one after another; the last one lives. */
function moments(): readonly string[] {
  const usual = ['after:1', 'before:2', 'after:2', 'after:2'];
  const long = ['after:2', 'before:3', 'before:2', 'after:3', 'after:1', 'before:1'];
  const more = rounds(1) - 1;
  return [...usual, ...Array.from({ length: more }, (_, at) => long[at % long.length] ?? 'after:2')];
}

test('leaders are killed at every step: never too many nodes change at once, all come to it', async () => {
  const { store } = await opening;
  const nodes = await toldNodes(store, names, { set: name, changeMs: 50 });
  const spec = { selector: { role: 'edge' }, rollout: { canary: 1, max_unavailable: 2 } };
  try {
    let generation = 1;
    await want(name, generation, spec);
    for (const [turn, when] of moments().entries()) {
      using manager = await startManager(`m${turn}`, when);
      const isKilled = async (): Promise<boolean> => {
        if (manager.ended() !== undefined) return true;
        // There is always something to do, until it comes to where it is killed.
        const { state, generation: at } = (await rollout(name)) ?? {};
        if (state === 'done' && at === generation) await want(name, ++generation, spec);
        return false;
      };
      await until('it to be killed', isKilled, Boolean, patience);
      assert.equal(manager.ended()?.signal, 'SIGKILL', manager.stderr());
      // The first is waited for: it is the lease alone that lets another lead.
      if (turn > 0) await endLeadership();
    }
    using _ = await startManager('last', 'never');
    await untilDone(name, generation);
    await until(
      'all nodes',
      () => [...nodes.applied.values()],
      (all) => all.every((one) => one === generation),
      patience,
    );
    for (const [which, most] of nodes.most) assert.ok(most <= 2, `${most} changed at once to ${which}`);
    const first = nodes.begun.filter((one) => one.endsWith(`@${generation}`));
    assert.equal(first[0], `a@${generation}`, 'the canary');
    assert.equal(new Set(nodes.begun).size, nodes.begun.length, 'each goes to a generation once');
  } finally {
    await nodes.stop();
  }
});

test('a leader that was paused and replaced writes nothing more; the other goes on', async () => {
  const { store } = await opening;
  const set = parseClusterName('edge-two', 'pin set');
  const nodes = await toldNodes(store, names, { set, changeMs: 50 });
  try {
    await endLeadership();
    await want(set, 1, { selector: { role: 'edge' } });
    using one = await startManager('one', 'never');
    await until('some to have begun', () => nodes.begun.length, Boolean, patience);
    one.kill('SIGSTOP');
    using other = await startManager('other', 'never');
    await until('the other to lead', () => other.lines.includes('wrote 1 true'), Boolean, patience);
    one.kill('SIGCONT');
    await want(set, 2, { selector: { role: 'edge' }, rollout: { max_unavailable: 2 } });
    await untilDone(set, 2);
    await until(
      'all nodes',
      () => [...nodes.applied.values()],
      (all) => all.every((had) => had === 2),
      patience,
    );
    assert.deepEqual(
      [...nodes.most].filter(([which, most]) => most > which),
      [],
    );
    assert.deepEqual([one.ended(), other.ended()], [undefined, undefined]);
  } finally {
    await nodes.stop();
  }
});
