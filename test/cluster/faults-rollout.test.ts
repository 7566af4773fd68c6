import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import test, { after, afterEach } from 'node:test';
import type { PinSetOnNode } from '../../src/model/schema/pinset-fleet.ts';
import { compileBpf } from '../support/c-program.ts';
import { historyOf } from '../support/fleet-lab/history.ts';
import {
  type FleetLab,
  type LabNode,
  type LabProcess,
  labMembers,
  labNodes,
  openFleetLab,
} from '../support/fleet-lab/lab.ts';
import { ask, labPatience, untilSeen } from '../support/fleet-lab/view.ts';
import { rounds } from '../support/rounds.ts';
import { until, untilPasses } from '../support/until.ts';

/** A rollout over three nodes, one at a time, is hurt where it stands; `a` and `b` are managers as well. */
const opening = openFleetLab({
  flags: (name) => (name === 'c' ? ['--label', 'role=core'] : ['--manager', '--label', 'role=edge']),
});
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

/** Who is hurt, as they are when it is done. */
const victims = [
  'the leading manager',
  'the other manager',
  'the last node',
  'the leader and the last node',
  'etcd’s leader',
  'etcd’s majority',
] as const;
const deeds = ['paused', 'cut off', 'killed'] as const;

/** One of `victims`, what is done to it, and the node that has just been opened then. */
type Fault = readonly [(typeof victims)[number], (typeof deeds)[number], (typeof labNodes)[number]];

/** Every victim, hurt in every way, at every step; a long run goes through them, some each round. */
const faults: readonly Fault[] = labNodes.flatMap((at) =>
  deeds.flatMap((deed) => victims.map((victim): Fault => [victim, deed, at])),
);
/** One of each kind, on every run. */
const usual: readonly Fault[] = [
  ['the leading manager', 'paused', 'a'],
  ['the last node', 'cut off', 'c'],
  ['the leader and the last node', 'killed', 'b'],
];
const eachRound = 5;

/** The processes that a fault hurts. */
function hurtOf(lab: FleetLab, victim: Fault[0]): readonly LabProcess[] {
  const { leader, other } = leaderOf(lab);
  const { e1, e2, e3 } = lab.etcd;
  switch (victim) {
    case 'the leading manager':
      return [leader];
    case 'the other manager':
      return [other];
    case 'the last node':
      return [lab.nodes.c];
    case 'the leader and the last node':
      return [leader, lab.nodes.c];
    case 'etcd’s leader':
      return [e1, e2, e3].filter(({ machine: { name } }) => isLeadingMember(lab, name));
    case 'etcd’s majority':
      return [e2, e3];
  }
}

/** By the member's own word; no member is believed that cannot be asked. */
function isLeadingMember(lab: FleetLab, name: string): boolean {
  const member = labMembers.find((one) => one === name) ?? assert.fail(name);
  const [{ Status }] = JSON.parse(lab.ctl(member, 'endpoint', 'status', '-w', 'json'));
  return Status.leader === Status.header.member_id;
}

/** Waits until one of the members that are not hurt leads the others, as nobody of the fleet notices. */
async function untilAnotherLeads(lab: FleetLab, hurtOnes: readonly LabProcess[]): Promise<void> {
  const names = hurtOnes.map(({ machine }) => machine.name);
  const well = labMembers.filter((name) => !names.includes(name));
  const look = (): boolean => well.some((name) => isLeadingMember(lab, name));
  await until('another member of etcd to lead', look, Boolean, labPatience);
}

/** Does it, and gives what heals it. */
function hurt(lab: FleetLab, deed: Fault[1], hurtOnes: readonly LabProcess[]): () => Promise<unknown> {
  if (deed === 'cut off') lab.network.cut(hurtOnes.map(({ machine }) => machine.name));
  else for (const { child } of hurtOnes) child.kill(deed === 'killed' ? 'SIGKILL' : 'SIGSTOP');
  return async () => {
    if (deed === 'cut off') lab.network.heal();
    else if (deed === 'paused') for (const { child } of hurtOnes) child.kill('SIGCONT');
    else await Promise.all(hurtOnes.map((one) => one.restart()));
  };
}

/** What a manager that is not hurt says of the nodes then. */
function statesWith(victim: Fault[0], hurtOnes: readonly LabProcess[]): string {
  const names = hurtOnes.map(({ machine }) => machine.name);
  const isAway = (name: string): boolean => victim === 'etcd’s majority' || names.includes(name);
  return labNodes.map((name) => `${name} ${isAway(name) ? 'stale' : 'ready'}`).join(', ');
}

/** What bpftool on a node's own machine shows of a pin. */
function pinnedOn({ machine }: LabNode, path: string): { readonly id: number; readonly max_entries: number } {
  return JSON.parse(machine.spaces.run('bpftool', '-j', 'map', 'show', 'pinned', `/sys/fs/bpf/${path}`));
}

test('a trie that a pin set declares is shared by what tc loads on the nodes that are meant', async () => {
  const lab = await opening;
  const { a, b, c } = lab.nodes;
  const path = 'tc/globals/pf_acl';
  const elf = compileBpf('tc-acl');
  const url = '/v1/cluster/pinsets/acl';
  const putWith = async (max_entries: number): Promise<void> => {
    const map = { type: 'lpm_trie', key_size: 8, value_size: 4, max_entries, flags: ['no_prealloc'] };
    const pins = [{ path, map, protect: true }];
    const rollout = { max_unavailable: 2 };
    const { status, body } = await a.local
      .put(url)
      .send({ selector: { role: 'edge' }, pins, on_schema_change: 'copy', rollout });
    assert.ok(status === 200 || status === 201, JSON.stringify(body));
  };
  const told = async (): Promise<readonly PinSetOnNode[]> => (await ask(b, `${url}/status`)).body.items;
  const isDone = (generation: number) => (items: readonly PinSetOnNode[]) =>
    items.map((item) => `${item.node} ${item.generation} ${item.state}`).join() ===
    `a ${generation} ok,b ${generation} ok`;
  await putWith(2000);
  await until('both to have it', told, isDone(1), labPatience);
  assert.equal(existsSync(`${c.bpffs}/${path}`), false);
  for (const node of [a, b]) {
    const { machine, bpffs } = node;
    const { run } = machine.spaces;
    const { id } = pinnedOn(node, path);
    run('tc', 'qdisc', 'add', 'dev', 'eth0', 'clsact');
    for (const direction of ['ingress', 'egress']) {
      const filter = ['filter', 'add', 'dev', 'eth0', direction, 'bpf', 'direct-action', 'object-file', elf];
      run('tc', ...filter, 'section', `tc/${direction}`);
      const shown = run('tc', 'filter', 'show', 'dev', 'eth0', direction);
      const program = / id (\d+) /.exec(shown)?.[1] ?? assert.fail(shown);
      const { map_ids } = JSON.parse(run('bpftool', '-j', 'prog', 'show', 'id', program));
      assert.deepEqual(map_ids, [id], 'ingress and egress share what was declared');
    }
    rmSync(`${bpffs}/${path}`);
    await until(`the name on ${machine.name}`, () => existsSync(`${bpffs}/${path}`), Boolean, labPatience);
    assert.equal(pinnedOn(node, path).id, id, 'and it is the same');
  }
  await putWith(4000);
  const isTold = (items: readonly PinSetOnNode[]): boolean =>
    items.length === 2 &&
    items.every(({ drifts: [drift] }) => /program \d+ \(pf_acl_/.test(drift?.actual ?? ''));
  const held = await until('who has the old map to be named', told, isTold, labPatience);
  for (const { drifts } of held) assert.equal(drifts[0]?.code, 'old_map_still_written_by');
  for (const { machine } of [a, b]) machine.spaces.run('tc', 'qdisc', 'del', 'dev', 'eth0', 'clsact');
  await until('both to have grown', told, isDone(2), labPatience);
  for (const node of [a, b]) assert.equal(pinnedOn(node, path).max_entries, 4000);
  assert.equal(existsSync(`${c.bpffs}/${path}`), false);
});

const count = rounds(1);
for (let round = 0; round < count; round += 1) {
  const inTurn = Array.from(
    { length: eachRound },
    (_, at) => faults[(round * eachRound + at) % faults.length],
  );
  for (const [victim, deed, at] of count > 1 ? inTurn.filter((fault) => fault !== undefined) : usual) {
    test(`a rollout goes on: ${victim} is ${deed} when ${at} is opened (${round})`, async (t) => {
      const lab = await opening;
      for (const manager of [lab.nodes.a, lab.nodes.b]) await untilSeen(manager, allReady);
      await putNext(leaderOf(lab).other);
      await untilOpened(lab, at);
      const hurtOnes = hurtOf(lab, victim);
      const { leader, other } = leaderOf(lab);
      const heal = hurt(lab, deed, hurtOnes);
      if (victim === 'etcd’s leader') await untilAnotherLeads(lab, hurtOnes);
      const seenBy = hurtOnes.includes(other) ? leader : other;
      await untilSeen(seenBy, statesWith(victim, hurtOnes));
      await heal();
      const from = performance.now();
      await converged(lab);
      t.diagnostic(`converged after ${Math.round(performance.now() - from)} ms`);
      await judge(lab);
    });
  }
}
