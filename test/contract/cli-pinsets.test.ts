import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { testAgent } from '../support/agent.ts';
import { pinById, pinnedMap } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const patience = { timeoutMs: 60_000, everyMs: 50 };
const dir = tempDir('cli-pinsets');
const opening = testAgent({ settings: { node: 'edge-1', label: ['role=edge'] } });
after(async () => {
  await (await opening)[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

async function pinfold(words: string, stdin = '') {
  const { socket } = await opening;
  return await commandLine(words.split(' '), { stdin, env: { PINFOLD_ADDRESS: socket } });
}

function file(name: string, text: string): string {
  const path = join(dir.path, name);
  writeFileSync(path, text);
  return path;
}

const acl = `# what edge nodes share
name: edge-acl
selector: {role: edge}
pins:
  - path: tc/acl
    map: {type: hash, key_size: 4, value_size: 8, max_entries: 16}
    protect: true
---
name: edge-marks
selector: {role: edge}
pins:
  - path: tc/marks
    map: {type: array, key_size: 4, value_size: 4, max_entries: 8}
`;

test('a file is shown as a difference, applied, followed, and then is no difference', async () => {
  const at = file('acl.yaml', acl);
  const before = await pinfold(`diff -f ${at}`);
  assert.equal(before.code, 1, before.err);
  assert.match(before.out, /^edge-acl: would be put as a new generation\n {2}edge-1:\n {4}\+ tc\/acl: /);
  const dry = await pinfold(`apply -f ${at} --dry-run`);
  assert.match(dry.out, /^would put_pin_set: .*edge-acl as generation 1/);
  const applied = await pinfold(`apply -f ${at}`);
  assert.deepEqual(
    [applied.code, applied.out],
    [0, 'edge-acl created (generation 1)\nedge-marks created (generation 1)\n'],
  );
  const followed = await pinfold('rollout status edge-acl');
  assert.equal(followed.code, 0, followed.err);
  assert.match(followed.out, /edge-acl generation 1: 1 of 1 node done; done\n$/);
  assert.match((await pinfold('rollout status edge-marks')).out, /; done\n$/);
  const { bpffs } = await opening;
  const shown = pinnedMap(join(bpffs.path, 'tc/acl'));
  assert.deepEqual([shown.type, shown.bytes_key, shown.bytes_value, shown.max_entries], ['hash', 4, 8, 16]);
  const same = await pinfold(`diff -f ${at}`);
  assert.deepEqual([same.code, same.err], [0, '']);
  assert.match((await pinfold(`apply -f ${at}`)).out, /^edge-acl unchanged \(generation 1\)$/m);
});

test('what is listed as YAML can be applied again and changes nothing', async () => {
  const { out } = await pinfold('get pinset edge-acl -o yaml');
  const again = await pinfold('apply -f -', out);
  assert.deepEqual([again.code, again.out], [0, 'edge-acl unchanged (generation 1)\n']);
  const json = await pinfold('get pinset edge-acl -o json');
  assert.equal(JSON.parse(json.out).pins[0].protect, true);
  assert.match((await pinfold('get pinsets')).out, /^edge-acl +1 +enforce +1 +1\/1 +0 +0 +done/m);
  assert.match((await pinfold('get pinsets -o name')).out, /^edge-acl\nedge-marks\n$/);
  const described = await pinfold('describe pinset edge-acl');
  assert.match(described.out, /^Generation: +1$/m);
  assert.match(described.out, /^edge-1 +1 +ok +well/m);
});

test('all mistakes are told with the lines they stand on, and nothing of the file is applied', async () => {
  const wrong = `name: good
selector: {role: edge}
---
name: bad
selector: {role: edge}
pins:
  - path: a..b
    map: {type: hash, key_size: 4, value_size: 8, max_entries: 16}
  - path: c
    map:
      type: nonsense
      key_size: 4
      value_size: 8
      max_entries: 16
`;
  const at = file('wrong.yaml', wrong);
  const { code, err } = await pinfold(`apply -f ${at}`);
  assert.equal(code, 1);
  assert.match(err, new RegExp(`^${at}:7: /pins/0/path `, 'm'));
  assert.match(err, new RegExp(`^${at}:11: /pins/1/map/type `, 'm'));
  assert.equal((await pinfold('get pinset good')).code, 3);
  const unknown = await pinfold('apply -f -', 'name: x\npins: []\nselectr: {}\n');
  assert.match(unknown.err, /^standard input:3: \/selectr is not known here$/m);
  const torn = await pinfold('apply -f -', 'name: x\npins: [\n');
  assert.deepEqual([torn.code, /^pinfold: standard input:\d+: /.test(torn.err)], [2, true]);
  assert.equal((await pinfold('apply -f -', '- 1\n')).code, 2);
  assert.equal((await pinfold('apply -f -', '')).code, 2);
  assert.match((await pinfold('apply -f -', 'name: x\n---\nname: x\n')).err, /holds x twice/);
});

test('documents of comments alone are no mistakes, and what cannot be read is told in one line', async () => {
  const rest = '---\n# a part that is off\n---\n---\nname: off\n';
  const put = await pinfold('apply -f -', `# generated\n${rest}`);
  assert.deepEqual([put.code, put.out], [0, 'off created (generation 1)\n'], put.err);
  const many = Array.from({ length: 8 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at},`.repeat(9)}]\n`);
  const bomb = await pinfold('apply -f -', `a0: &a0 [x]\n${many.join('')}name: x\n`);
  assert.deepEqual([bomb.code, bomb.err.split('\n').length], [2, 2], bomb.err);
  assert.match(bomb.err, /^pinfold: standard input:1: Excessive alias count/);
  const nowhere = await pinfold('apply -f -', 'name: *gone\n');
  assert.deepEqual([nowhere.code, nowhere.err.split('\n').length], [2, 2], nowhere.err);
});

test('a difference that cannot be told is no difference: diff ends with 2 then', async () => {
  const code = async (text: string): Promise<number> => (await pinfold('diff -f -', text)).code;
  assert.equal(await code('name: x\nselectr: {}\n'), 2);
  assert.equal(await code('name: ../x\n'), 2);
  assert.equal(await code('name: x\nall: true\n'), 1);
  const file = 'name: x\n';
  const away = { stdin: file, env: { PINFOLD_ADDRESS: join(dir.path, 'nobody.sock') } };
  assert.equal((await commandLine(['diff', '-f', '-'], away)).code, 2);
});

test('a rollout that drifts is paused, tells why, and is undone', async () => {
  const { code } = await pinfold(
    'apply -f -',
    acl.split('---')[0]?.replace('max_entries: 16', 'max_entries: 32'),
  );
  assert.equal(code, 0);
  const stuck = await pinfold('rollout status edge-acl');
  assert.equal(stuck.code, 1, stuck.out);
  assert.match(stuck.out, /edge-acl generation 2: 0 of 1 node done, 1 drifted; paused: failed: edge-1/);
  const now = await pinfold('rollout status edge-acl --no-wait');
  assert.equal(now.code, 1);
  assert.match(now.out, /^edge-1 +2 +drifted +failed +tc\/acl /m);
  assert.match((await pinfold('rollout undo edge-acl --dry-run')).out, /as generation 3/);
  assert.equal((await pinfold('rollout undo edge-acl')).out, 'edge-acl rolled back (generation 3)\n');
  assert.equal((await pinfold('rollout status edge-acl')).code, 0);
  assert.equal((await pinfold('rollout pause edge-acl')).code, 4, 'it is done');
  assert.equal((await pinfold('rollout resume nothing')).code, 3);
});

test('what was deleted leaves pins alone, or has them pruned, and can be wanted again', async () => {
  const { bpffs } = await opening;
  const shown = (name: string) => pinnedMap(join(bpffs.path, name));
  assert.equal((await pinfold('delete pinset edge-acl')).out, 'edge-acl deleted\n');
  assert.equal((await pinfold('rollout status edge-acl')).code, 0);
  assert.equal(shown('tc/acl').type, 'hash');
  assert.equal((await pinfold('delete pinset edge-acl')).code, 3);
  assert.equal((await pinfold('rollout undo edge-acl')).out, 'edge-acl rolled back (generation 5)\n');
  assert.equal((await pinfold('rollout status edge-acl')).code, 0);
  assert.match((await pinfold('delete pinset edge-acl --dry-run')).out, /generation 6/);
  pinById('map', shown('tc/marks').id, join(bpffs.path, 'kept'));
  assert.equal((await pinfold('delete pinset edge-marks --prune')).code, 0);
  const gone = await pinfold('rollout status edge-marks');
  assert.match(gone.out, /edge-marks was deleted: no node has anything of it\n$/);
  await until('the pruned pin', () => !existsSync(join(bpffs.path, 'tc/marks')), Boolean, patience);
  assert.equal(shown('tc/acl').type, 'hash', 'what another pin set made stays');
});

test('what would be lost by pruning stays, and the status says so', async () => {
  const { bpffs } = await opening;
  await pinfold(
    'apply -f -',
    acl.split('---')[0]?.replace('edge-acl', 'edge-last').replace('tc/acl', 'tc/last'),
  );
  assert.equal((await pinfold('rollout status edge-last')).code, 0);
  assert.equal((await pinfold('delete pinset edge-last --prune')).code, 0);
  const { code, out } = await pinfold('rollout status edge-last');
  assert.deepEqual(
    [code, /edge-last was deleted: 1 node with something of it, 1 drifted$/m.test(out)],
    [1, true],
  );
  assert.match(
    (await pinfold('rollout status edge-last --no-wait')).out,
    /^edge-1 +2 +drifted .*tc\/last hazard/m,
  );
  assert.equal(pinnedMap(join(bpffs.path, 'tc/last')).type, 'hash');
});

test('what is applied is followed with --wait, and the exit code says how it ended', async () => {
  const begin = 'selector: {role: edge}\npins:\n  - path: waited\n';
  const of = (entries: number): string =>
    `name: waited\n${begin}    map: {type: hash, key_size: 4, value_size: 8, max_entries: ${entries}}\n`;
  const done = await pinfold('apply --wait 5m -f -', of(16));
  assert.deepEqual([done.code, done.err], [0, '']);
  assert.match(
    done.out,
    /^waited created \(generation 1\)\n(.*\n)*waited generation 1: 1 of 1 node done; done\n$/,
  );
  const paused = await pinfold('apply -o json --wait -f -', of(32));
  assert.equal(paused.code, 1);
  assert.equal(JSON.parse(paused.out).generation, 2, 'steps are not told where a document is wanted');
  assert.match(paused.err, /waited generation 2: 0 of 1 node done, 1 drifted; paused/);
  const nobody = 'name: nobody\nselector: {role: none}\npins: []\n';
  const late = await pinfold('apply --wait 1s -f -', nobody);
  assert.deepEqual([late.code, /not done in the time/.test(late.err)], [124, true]);
  assert.match(late.err, /^pinfold: nobody is meant for no node now: no node has role=none: role is edge /);
  assert.equal((await pinfold('apply --wait soon -f -', nobody)).code, 2);
});

test('a set that is meant for no node says so where it is put, shown, listed and followed', async () => {
  const why = /it names no labels, and does not say all: true/;
  const put = await pinfold('apply -f -', 'name: unmeant\npins: []\n');
  assert.deepEqual([put.code, put.out], [0, 'unmeant created (generation 1)\n']);
  assert.match(put.err, /^pinfold: unmeant is meant for no node now: /);
  assert.match(put.err, why);
  for (const words of [
    'rollout status unmeant --no-wait',
    'describe pinset unmeant',
    'get pinsets unmeant -o wide',
  ])
    assert.match((await pinfold(words)).out, why, words);
  const meant = await pinfold('apply -f -', 'name: unmeant\nall: true\npins: []\n');
  assert.deepEqual([meant.code, meant.err], [0, '']);
  assert.doesNotMatch((await pinfold('describe pinset unmeant')).out, why);
});
