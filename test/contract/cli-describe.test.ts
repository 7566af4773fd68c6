import assert from 'node:assert/strict';
import { rmdirSync, writeFileSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap, updateEntry } from '../support/bpftool.ts';
import { makeCgroups } from '../support/cgroups.ts';
import { commandLine, type Ran } from '../support/command-line.ts';
import { hold } from '../support/hold.ts';
import { type LoadedProgram, loadPrograms } from '../support/programs.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

let agent: TestAgent;
let programs: readonly LoadedProgram[];
before(async () => {
  agent = await testAgent();
  programs = loadPrograms('prog-calls', `${agent.bpffs.path}/calls`);
  await agent.local.get('/v1/objects?fresh=true&limit=1').expect(200);
});
after(() => agent[Symbol.asyncDispose]());

async function pinfold(...words: readonly string[]): Promise<Ran> {
  return await commandLine([...words, '--address', agent.socket]);
}

/** The id of a map that one of the programs uses, by its name. */
async function mapNamed(wanted: string): Promise<number> {
  for (const { id } of programs) {
    for (const map of (await agent.local.get(`/v1/programs/${id}`)).body.map_ids) {
      if ((await agent.local.get(`/v1/maps/${map}`)).body.name === wanted) return map;
    }
  }
  return assert.fail(`no program uses ${wanted}`);
}

test('describe map shows how full it is, and what keys and values are in C', async () => {
  const id = await mapNamed('pf_hash');
  const { out, code, err } = await pinfold('describe', 'map', String(id));
  assert.equal(code, 0, err);
  assert.match(out, /^Entries: {2}0 of 64 \(0\.0 %\)$/m);
  assert.match(
    out,
    /^Layout:\n {2}key: {4}__u32, 4 bytes\n {2}value: {2}__u64, 8 bytes\n\n {2}typedef unsigned int __u32;/m,
  );
  const data = await pinfold('describe', 'map', String(await mapNamed('prog_cal.bss')));
  assert.match(data.out, /^ {2}__u32 pf_table\[16\]; \/\* at 8 \*\/$/m);
  const document = JSON.parse((await pinfold('describe', 'map', String(id), '-o', 'json')).out);
  assert.equal(document.details.types.key.name, '__u32');
  assert.equal(document.details.entries.max_entries, 64);
});

test('describe says why a map cannot be counted or has no layout, and shows its template', async () => {
  using holder = await hold(
    'map:array:4:8:3:pf_inner:0',
    'map:hash_of_maps:4:4:16:pf_outer:0:0',
    'map:ringbuf:0:0:4096:pf_ring',
  );
  const [, outer, ring] = holder.objects.map(({ id }) => String(id));
  const shown = (await pinfold('describe', 'map', outer ?? '')).out;
  assert.match(shown, /^Takes maps like: {2}type array, key size 4, value size 8, max entries 3$/m);
  assert.match(shown, /^Layout: {2}none: it was made without types$/m);
  assert.match((await pinfold('describe', 'map', ring ?? '')).out, /^Entries: {2}unknown: .+ring/m);
});

test('describe pin shows the object behind it just so', async () => {
  const path = `${agent.bpffs.path}/described`;
  createMap(path, { entries: 4, value: 4, name: 'pf_described' });
  updateEntry(path, Uint8Array.of(1, 0, 0, 0), Uint8Array.of(0, 0, 0, 0));
  const { out, code } = await pinfold('describe', 'pin', 'described');
  assert.equal(code, 0);
  const byName = await pinfold('describe', 'map', 'pf_described');
  assert.equal(byName.code, 0, byName.err);
  for (const name of ['described', 'pf_described'])
    assert.equal(JSON.parse((await pinfold('get', 'map', name, '-o', 'json')).out).name, 'pf_described');
  assert.match(out, /^Path: +described$/m);
  assert.match(out, /^Entries: {2}1 of 4 \(25\.0 %\)$/m);
});

test('describe program shows what it is made of, what it uses, where it is attached', async () => {
  using holder = await hold('map:array:4:8:1:pf_used:0', 'prog:sk_lookup:pf_uses:0', 'link:netns:1');
  const [map, program, link] = holder.objects.map(({ id }) => id);
  await agent.local.get('/v1/objects?fresh=true&limit=1').expect(200);
  const { out } = await pinfold('describe', 'program', String(program));
  assert.match(out, /^Made of: {2}4 instructions$/m);
  assert.match(out, /^As loaded: {2}yes, its tag proves it$/m);
  assert.match(out, /^Made for: {2}sk_lookup$/m);
  assert.match(out, new RegExp(`^Uses:\\n {2}- map ${map} array pf_used$`, 'm'));
  assert.match(out, new RegExp(`^Attached by:\\n {2}- link ${link} netns sk_lookup$`, 'm'));
  assert.match(out, /^ {2}- license: the kernel keeps only/m);
  const ofLink = (await pinfold('describe', 'link', String(link))).out;
  assert.match(ofLink, new RegExp(`^Runs: {2}program ${program} sk_lookup pf_uses, tag [0-9a-f]{16}$`, 'm'));
  const named = programs.find(({ name }) => name === 'pf_subprogs')?.id;
  assert.match(
    (await pinfold('describe', 'program', String(named))).out,
    /^Made of: {2}48 instructions, \d+ functions, \d+ source lines$/m,
  );
});

test('describe link says of a dead one what is gone, and of others what is known', async () => {
  using groups = makeCgroups(1);
  const [group = ''] = groups.paths;
  using holder = await hold(
    ...['prog:cgroup_skb:pf_dead', `link:cgroup:0:${group}`],
    ...['prog:raw_tracepoint:pf_point', 'link:raw_tp:2:sys_enter'],
  );
  const [, cgroup, , point] = holder.objects.map(({ id }) => String(id));
  const alive = await pinfold('describe', 'link', cgroup ?? '');
  assert.equal(alive.code, 0, alive.err);
  assert.doesNotMatch(alive.out, /^(Dead|Attached):/m);
  rmdirSync(group);
  await untilPasses(async () => {
    const { out } = await pinfold('describe', 'link', cgroup ?? '');
    assert.match(out, /^Dead: {2}its control group is gone, or it was detached from it; its program /m);
  });
  const document = JSON.parse((await pinfold('describe', 'link', cgroup ?? '', '-o', 'json')).out);
  assert.match(document.details.dead, /^its control group is gone/);
  const unknown = (await pinfold('describe', 'link', point ?? '')).out;
  assert.match(unknown, /^Attached: {2}unknown: the kernel does not tell of raw_tracepoint links/m);
});

test('describe node needs no name where there is one, and count of a queue tells of peek', async () => {
  const { code, out, err } = await pinfold('describe', 'node');
  assert.equal(code, 0, err);
  const { name } = JSON.parse((await pinfold('get', 'nodes', '-o', 'ndjson')).out);
  assert.match(out, new RegExp(`^Name: +${name}$`, 'm'));
  using holder = await hold('map:queue:0:4:4:pf_queue:0');
  const counted = await pinfold('count', String(holder.objects[0]?.id));
  assert.match(counted.err, /`pinfold dump --peek` prints the head\.\n$/);
});

test('who may not read contents is shown the rest', async () => {
  const id = await mapNamed('pf_hash');
  using dir = tempDir('viewer');
  const file = `${dir.path}/token`;
  writeFileSync(file, await agent.token('viewer'), { mode: 0o600 });
  const words = ['describe', 'map', String(id), '--address', agent.url, '--token-file', file];
  const { out, code, err } = await commandLine(words);
  assert.equal(code, 0, err);
  assert.match(out, /^Name: +pf_hash$/m);
  assert.match(out, /^Layout: {2}unknown: /m);
});
