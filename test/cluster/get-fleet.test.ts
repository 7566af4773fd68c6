import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { resources } from '../../src/cli/resource/resources.ts';
import { writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { commandLine, type Ran } from '../support/command-line.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { testManager } from '../support/manager.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const dir = tempDir('get-fleet');
let etcd: TestEtcd | undefined;
const opening = open();
const patience = { timeoutMs: 60_000, everyMs: 100 };
/** A manager may do less than this at a node. */
const needsAdmin = ['webhooks', 'tokens'];

/** Three nodes, two of them at the edge, each with a pin of its own and one that all have; and a manager. */
async function open() {
  etcd = await startEtcd();
  const key = join(dir.path, 'key');
  writeClusterKey(key);
  const settings = { etcd: etcd.urls, 'cluster-key': key };
  const node = async (name: string, role: string): Promise<TestAgent> => {
    const at = await testAgent({ settings: { ...settings, node: name, label: [`role=${role}`] } });
    for (const path of [`own-${name}`, 'shared']) createMap(`${at.bpffs.path}/${path}`, { name: 'pf_get' });
    await at.local.get('/v1/pins?fresh=true').expect(200);
    return at;
  };
  const nodes = [await node('a', 'edge'), await node('b', 'core'), await node('c', 'edge')];
  const manager = await testManager(settings);
  await until(
    'all to be there',
    async () => (await manager.local.get('/v1/cluster/nodes')).body.items,
    (items) => items?.length === 3,
    patience,
  );
  return { nodes, manager };
}

after(async () => {
  const world = await opening.catch(() => undefined);
  for (const at of world === undefined ? [] : [world.manager, ...world.nodes])
    await at[Symbol.asyncDispose]();
  etcd?.[Symbol.dispose]();
  dir[Symbol.dispose]();
});

/** Runs a command line at the manager; again while a busy machine keeps a node from answering. */
async function run(...words: readonly string[]) {
  return await runUntil(({ code }) => code !== 1, words);
}

async function runUntil(isOver: (ran: Ran) => boolean, words: readonly string[]): Promise<Ran> {
  const { manager } = await opening;
  const again = async () => await commandLine([...words, '--address', manager.socket]);
  return await until(`pinfold ${words.join(' ')}`, again, isOver, patience);
}

/** The first two columns of a table, without its titles. */
function cells(out: string): readonly string[] {
  const lines = out.trimEnd().split('\n').slice(1);
  return lines.map((line) => line.split(/ {2,}/).slice(0, 2).join(' '));
}

test('a list of the nodes with some labels has their names in front', async () => {
  const pins = await run('get', 'pins', '-l', 'role=edge');
  assert.deepEqual([pins.code, pins.err], [0, '']);
  assert.match(pins.out, /^NODE +PATH +KIND +ID/);
  assert.deepEqual(cells(pins.out), ['a own-a', 'a shared', 'c own-c', 'c shared']);
  const core = await run('get', 'pins', '--selector', 'role!=edge', '-o', 'name');
  assert.equal(core.out, 'b:own-b\nb:shared\n');
  const all = await run('get', 'pins', '-l', '', '-o', 'name', '--limit', '5');
  assert.equal(all.out, 'a:own-a\na:shared\nb:own-b\nb:shared\nc:own-c\n');
});

test('nodes are named one by one, and narrow a selector; the filters of the list go with both', async () => {
  const two = await run('get', 'pins', '--node', 'a,b', '--prefix', 'shared', '-o', 'json');
  const { items } = JSON.parse(two.out);
  const named = items.map(({ node, path }: Record<string, string>) => `${node} ${path}`);
  assert.deepEqual(named, ['a shared', 'b shared']);
  const both = await run('get', 'pins', '--node', 'a,b', '-l', 'role=edge', '-o', 'name');
  assert.equal(both.out, 'a:own-a\na:shared\n');
  const one = await run('get', 'pins', '--node', 'b', '-o', 'name');
  assert.equal(one.out, 'own-b\nshared\n', 'one node is asked as if it were here');
  const none = await run('get', 'pins', '--node', 'a,nobody');
  assert.deepEqual([none.code, none.out], [3, '']);
  assert.match(none.err, /nobody|No node of this name/);
});

test('what no list of the fleet has is asked of each node', async () => {
  const mounts = await run('get', 'mounts', '-l', 'role=edge', '-o', 'json');
  assert.deepEqual([mounts.code, mounts.err], [0, '']);
  const nodes = JSON.parse(mounts.out).items.map(({ node }: Record<string, string>) => node);
  assert.deepEqual([...new Set(nodes)], ['a', 'c']);
  const events = await run('get', 'events', '-l', 'role=edge', '--pin', 'shared', '-o', 'json');
  const told = JSON.parse(events.out).items;
  const times = told.map(({ time }: Record<string, string>) => time);
  assert.deepEqual(times, [...times].sort(), 'by time, whichever node');
  assert.deepEqual([...new Set(told.map(({ node }: Record<string, string>) => node))].sort(), ['a', 'c']);
  const missing = await run('get', 'claims', '--node', 'a,nobody');
  assert.deepEqual([missing.code, missing.out], [3, '']);
});

test('every noun that nodes have is asked of many, and whatever comes says whose it is', async () => {
  const asked: string[] = [];
  for (const { plural, list, isOfFleet } of resources) {
    if (list === undefined || isOfFleet || needsAdmin.includes(plural)) continue;
    for (const meant of [
      ['--selector', 'role=edge'],
      ['--node', 'a,c'],
    ]) {
      const { code, out, err } = await run('get', plural, ...meant, '--limit', '20', '-o', 'json');
      assert.deepEqual([code, err], [0, ''], plural);
      for (const { node } of JSON.parse(out).items) assert.match(node, /^[ac]$/, plural);
    }
    asked.push(plural);
  }
  for (const plural of ['pins', 'maps', 'programs', 'links', 'findings', 'mounts', 'claims', 'events'])
    assert.ok(asked.includes(plural), plural);
  for (const plural of needsAdmin) {
    const { code, err } = await runUntil((ran) => ran.err !== '', ['get', plural, '-l', 'role=edge']);
    assert.deepEqual([code, /admin/.test(err)], [5, true], err);
  }
});

test('an item is shown of each node that has it', async () => {
  const shared = await run('get', 'pins', 'shared', '-l', 'role=edge');
  assert.deepEqual([shared.code, cells(shared.out)], [0, ['a shared', 'c shared']]);
  const own = await run('get', 'pins', 'own-b', '-l', '', '-o', 'name');
  assert.deepEqual([own.code, own.out], [0, 'b:own-b\n']);
  const none = await run('get', 'pins', 'nowhere', '-l', '');
  assert.deepEqual([none.code, none.out], [3, '']);
  assert.match(none.err, /None of these nodes has the pin nowhere/);
});

test('what makes no sense of many nodes is said', async () => {
  for (const [words, sentence] of [
    [['unpin', 'shared', '--node', 'a,b'], /This asks one node/],
    [['get', 'events', '-l', 'role=edge', '-w'], /--watch of events takes one --node/],
    [['get', 'pins', '--node', 'a,,b'], /--node takes names/],
    [['get', 'nodes', '--label', 'role=edge'], /--label does not narrow nodes/],
  ] as const) {
    const refused = await run(...words);
    assert.equal(refused.code, 2, words.join(' '));
    assert.match(refused.err, sentence);
  }
  assert.equal((await run('get', 'pins', '-l', 'role=')).code, 0, 'an empty value is one');
  const unreadable = /The selector cannot be read/;
  await runUntil(({ err }) => unreadable.test(err), ['get', 'pins', '-l', 'role==edge=x']);
});

test('nodes that do not answer are named on stderr, others are printed, the exit code is 1', async () => {
  const { nodes } = await opening;
  await nodes[2]?.running.stop();
  for (const words of [
    ['get', 'pins', '-l', 'role=edge', '-o', 'name'],
    ['get', 'pins', 'shared', '--node', 'a,c', '-o', 'name'],
    ['get', 'mounts', '--node', 'c,a', '-o', 'name'],
  ]) {
    const only = /^pinfold: c did not answer: .+\n$/;
    const { code, out } = await runUntil(({ err }) => only.test(err), words);
    assert.equal(code, 1, words.join(' '));
    assert.match(out, /^a:/);
    assert.doesNotMatch(out, /^c:/m);
  }
});
