import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test, { after, before } from 'node:test';
import { parse } from 'yaml';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { commandLine, type Ran } from '../support/command-line.ts';
import { entriesObject, type FilledMaps, filledMaps } from '../support/entries.ts';
import { bpftoolItems } from './entries-fixture.ts';

let agent: TestAgent;
let maps: FilledMaps;
before(async () => {
  agent = await testAgent();
  maps = await filledMaps('make', entriesObject(), '3');
});
after(async () => {
  maps[Symbol.dispose]();
  await agent[Symbol.asyncDispose]();
});

test('dump finds a map by its id, its pin or its name', async () => {
  const id = maps.id('b_lpm');
  await agent.local
    .put('/v1/pins/tries')
    .send({ source: { kind: 'map', id }, parents: true })
    .expect(201);
  const expected = ['10.0.0.0/24', '10.0.1.1/32', '10.0.2.0/24'];
  for (const map of [String(id), `map:${id}`, 'tries']) {
    const { code, out, err } = await pinfold('dump', map, '-o', 'name');
    assert.equal(code, 0, err);
    assert.deepEqual(out.trim().split('\n').sort(), expected, map);
  }
  const { out } = await pinfold('dump', 'tries');
  assert.match(out, /^10\.0\.1\.1\/32: \d+$/m);
  const twins = await pinfold('dump', 'pf_twin');
  assert.equal(twins.code, 2);
  assert.match(twins.err, /maps are called pf_twin: .*Say which by its id/);
  assert.equal((await pinfold('dump', 'pf_no_such_map')).code, 3);
});

test('dump --format bpftool -o ndjson prints what bpftool prints', async () => {
  const id = maps.id('twin_percpu_hash');
  const { out } = await pinfold('dump', String(id), '--format', 'bpftool', '-o', 'ndjson');
  const lines = out.trim().split('\n');
  const { summary } = JSON.parse(lines.pop() ?? '');
  assert.deepEqual([summary.complete, summary.count], [true, lines.length]);
  assert.deepEqual(lines.sort(), bpftoolItems(id));
});

test('dump prints documents, and stops where it is told to', async () => {
  const id = String(maps.id('twin_hash'));
  const { out, err } = await pinfold('dump', id, '--key-as', 'u32', '--limit', '2', '-o', 'json');
  assert.match(err, /^pinfold: 2 entries, not complete, rows ended it; consistency \w+\.$/m);
  const { items, summary } = JSON.parse(out);
  assert.equal(items.length, 2);
  assert.deepEqual([summary.count, summary.complete, summary.stopped], [2, false, 'rows']);
  const yaml = parse((await pinfold('dump', id, '-o', 'yaml')).out);
  assert.deepEqual([yaml.summary.count, yaml.summary.complete], [yaml.items.length, true]);
  assert.ok(items.every(({ key }: { key: unknown }) => typeof key === 'number'));
});

test('dump --peek prints the head of a queue, which stays there, and refusals tell of it', async () => {
  const path = `${agent.bpffs.path}/queue`;
  const { id } = createMap(path, { type: 'queue', key: 0, value: 4, entries: 4 });
  for (const byte of ['7', '8'])
    execFileSync('bpftool', ['map', 'enqueue', 'pinned', path, 'value', byte, '0', '0', '0']);
  for (let look = 0; look < 2; look++)
    assert.equal((await pinfold('dump', 'queue', '--peek', '--value-as', 'u32')).out, '7\n');
  assert.equal(JSON.parse((await pinfold('dump', String(id), '--peek', '-o', 'json')).out).value, '07000000');
  assert.equal((await pinfold('dump', 'queue', '--peek', '--limit', '1')).code, 2);
  const refused = await pinfold('dump', 'queue');
  assert.equal(refused.code, 4);
  assert.match(refused.err, /would remove what is read; --peek prints the head\.\n$/);
});

test('entry get prints one entry by its key as dump writes it, or by its bytes', async () => {
  const trie = String(maps.id('b_lpm'));
  assert.match((await pinfold('entry', 'get', trie, '10.0.2.0/24')).out, /^10\.0\.2\.0\/24: \d+\n$/);
  const hash = String(maps.id('b_hash'));
  const typed = await pinfold('entry', 'get', hash, '1', '-o', 'json');
  assert.equal(JSON.parse(typed.out).value.mood, 'TENSE');
  const raw = await pinfold('entry', 'get', hash, 'hex:01000000', '-o', 'json');
  assert.deepEqual(JSON.parse(raw.out), JSON.parse(typed.out));
  assert.equal((await pinfold('entry', 'get', hash, '77')).code, 3);
});

async function pinfold(...words: readonly string[]): Promise<Ran> {
  return await commandLine([...words, '--address', agent.socket]);
}
