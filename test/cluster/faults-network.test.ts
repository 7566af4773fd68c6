import assert from 'node:assert/strict';
import test, { after, afterEach } from 'node:test';
import { type FleetLab, type LabNode, openFleetLab } from '../support/fleet-lab/lab.ts';
import { ask, labPatience, listAll, ownPins, pinOn, untilSeen } from '../support/fleet-lab/view.ts';
import { rounds } from '../support/rounds.ts';
import { until, untilPasses } from '../support/until.ts';

/** Three members of etcd and three agents on machines of their own; `a` and `b` are managers. */
const opening = open();
const allReady = 'a ready, b ready, c ready';
/** Every pin that was made, as the fleet must list it again after each fault. */
const made: string[] = [];

async function open(): Promise<FleetLab> {
  const lab = await openFleetLab({ flags: (name) => (name === 'c' ? [] : ['--manager']) });
  for (const node of Object.values(lab.nodes)) await pinned(node, 'first');
  return lab;
}

after(async () => (await opening.catch(() => undefined))?.[Symbol.dispose]());

afterEach(async () => {
  const { network, etcd, nodes } = await opening;
  network.heal();
  for (const { child } of [...Object.values(etcd), ...Object.values(nodes)]) child.kill('SIGCONT');
});

/** Pins something on a node, and sees that the node itself says so: local work goes on. */
async function pinned(node: LabNode, name: string): Promise<void> {
  pinOn(node, name);
  made.push(`${node.machine.name}:${name}`);
  assert.ok((await ownPins(node)).includes(name));
}

/** After a fault is over both managers see everybody, and list everything that was ever pinned. */
async function converged(lab: FleetLab, t: { diagnostic(text: string): void }): Promise<void> {
  const from = performance.now();
  for (const manager of [lab.nodes.a, lab.nodes.b]) {
    await untilSeen(manager, allReady);
    await untilPasses(async () => {
      const { pins, complete, unreachable } = await listAll(manager, '10s');
      assert.deepEqual(
        { pins, complete, unreachable },
        { pins: [...made].sort(), complete: true, unreachable: {} },
      );
    }, labPatience);
  }
  t.diagnostic(`converged after ${Math.round(performance.now() - from)} ms`);
}

for (let round = 0; round < rounds(1); round += 1) {
  const mark = (what: string): string => `${what}${round}`;

  test(`a node and a member of etcd are cut off: the node is named, and works on (${round})`, async (t) => {
    const lab = await opening;
    const { a, b, c } = lab.nodes;
    await converged(lab, t);
    lab.network.cut(['c', 'e3']);
    await pinned(c, mark('alone'));
    await Promise.all([untilSeen(a, 'a ready, b ready, c stale'), untilSeen(b, 'a ready, b ready, c stale')]);
    const { pins, complete, unreachable, reason } = await listAll(a);
    assert.deepEqual([complete, reason, Object.keys(unreachable)], [false, undefined, ['c']]);
    assert.match(unreachable['c'] ?? '', /did not answer/);
    assert.deepEqual(pins, made.filter((pin) => !pin.startsWith('c:')).sort());
    const { body } = await ask(a, '/v1/cluster/nodes/c');
    assert.equal(body.reason, 'it does not renew its lease');
    await pinned(b, mark('meanwhile'));
    lab.network.heal();
    await converged(lab, t);
  });

  test(`a manager is cut off: it says so, and the other one serves all (${round})`, async (t) => {
    const lab = await opening;
    const { a, b } = lab.nodes;
    lab.network.cut(['a']);
    await pinned(a, mark('island'));
    await Promise.all([untilSeen(b, 'a stale, b ready, c ready'), untilSeen(a, 'a stale, b stale, c stale')]);
    const cut = await listAll(a);
    assert.equal(cut.complete, false);
    assert.match(cut.reason ?? '', /etcd cannot be reached/);
    assert.deepEqual(Object.keys(cut.unreachable), ['b', 'c']);
    assert.deepEqual(cut.pins, made.filter((pin) => pin.startsWith('a:')).sort());
    const other = await listAll(b);
    assert.deepEqual([other.complete, Object.keys(other.unreachable)], [false, ['a']]);
    lab.network.heal();
    await converged(lab, t);
  });

  test(`etcd’s majority is cut off: nodes answer, and nobody is gone (${round})`, async (t) => {
    const lab = await opening;
    const { a, b, c } = lab.nodes;
    lab.network.cut(['e1', 'e2']);
    await Promise.all([a, b].map((manager) => untilSeen(manager, 'a stale, b stale, c stale')));
    await pinned(c, mark('leaderless'));
    await untilPasses(async () => {
      const { pins, complete, unreachable, reason } = await listAll(b, '10s');
      assert.deepEqual([pins, complete, unreachable], [[...made].sort(), false, {}]);
      assert.match(reason ?? '', /etcd cannot be reached/);
    }, labPatience);
    lab.network.heal();
    await converged(lab, t);
  });

  test(`nodes that see etcd but not each other are ready, and named in lists (${round})`, async (t) => {
    const lab = await opening;
    const { a } = lab.nodes;
    lab.network.cut(['a'], ['b', 'c']);
    await until(
      'b and c to be named',
      async () => Object.keys((await listAll(a)).unreachable).join(),
      (names) => names === 'b,c',
      labPatience,
    );
    assert.equal((await untilSeen(a, allReady)) >= 0, true);
    lab.network.heal();
    await converged(lab, t);
  });

  test(`a node is killed, one is paused, and a member of etcd with them (${round})`, async (t) => {
    const lab = await opening;
    const { a, b, c } = lab.nodes;
    b.child.kill('SIGKILL');
    c.child.kill('SIGSTOP');
    lab.etcd.e1.child.kill('SIGKILL');
    await untilSeen(a, 'a ready, b stale, c stale');
    const { pins, complete, unreachable } = await listAll(a);
    assert.deepEqual([complete, Object.keys(unreachable)], [false, ['b', 'c']]);
    assert.deepEqual(pins, made.filter((pin) => pin.startsWith('a:')).sort());
    await pinned(a, mark('survivor'));
    c.child.kill('SIGCONT');
    await Promise.all([b.restart(), lab.etcd.e1.restart()]);
    await converged(lab, t);
  });

  test(`one member of etcd after the other is paused: nobody notices (${round})`, async (t) => {
    const lab = await opening;
    for (const [index, member] of Object.values(lab.etcd).entries()) {
      const hashOfC = async (): Promise<string> =>
        (await ask(lab.nodes.a, '/v1/cluster/nodes/c')).body.digest.hash;
      const before = await hashOfC();
      member.child.kill('SIGSTOP');
      await pinned(lab.nodes.c, mark(`paused${index}`));
      await until('the digest to be written anew', hashOfC, (hash) => hash !== before, labPatience);
      await untilSeen(lab.nodes.b, allReady);
      member.child.kill('SIGCONT');
    }
    await converged(lab, t);
  });
}
