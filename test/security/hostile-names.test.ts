import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { type Caller, callerOf } from '../support/caller.ts';
import { commandLine } from '../support/command-line.ts';
import { type Holder, hold } from '../support/hold.ts';
import { random, testSeed } from '../support/seed.ts';
import { until } from '../support/until.ts';

const seed = testSeed();
const corpusSize = 500;

/** Names by which terminals, logs, shells, URLs, JSON, SQL, HTML and objects were led astray; latin1. */
const classics = [
  '\x1b[2J\x1b[31mred',
  '\x1b]0;title\x07',
  '\x9b31m',
  'a\nb',
  '\n',
  'a\rb',
  '\t',
  '\x7f',
  '\b\b\b',
  '\x01',
  '"',
  `'`,
  '`',
  '\\',
  '\\n',
  '\\x00',
  '$(reboot)',
  '$HOME',
  ';reboot',
  '&',
  '|',
  '<script>alert(1)<',
  '{{7*7}}',
  `' OR '1'='1`,
  '%00',
  '%2F',
  '%2e%2e%2f',
  '%',
  '%zz',
  '%ff',
  '#',
  '?',
  '?accept=last_reference',
  '+',
  ' ',
  '  a ',
  '*',
  '-rf',
  '--help',
  '~',
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
  'null',
  'undefined',
  'NaN',
  '[object Object]',
  'pinfold-staging',
  ':',
  'C:',
  'CON',
  '0',
  '-1',
  'a,b',
  'a=b',
  '{"a":1}',
  '[]',
  ',',
  '\xff',
  '\xfe\xff',
  '\xc0\xaf',
  '\xed\xa0\x80',
  '\xf4\x90\x80\x80',
  '\xe2\x80',
  'a'.repeat(255),
  '\xff'.repeat(255),
  '\n'.repeat(255),
  ...[
    '\u202egnp',
    '\u2066x\u2069',
    '\u200b',
    '\ufeff',
    '\u0085',
    '\u2028',
    '\u00e9',
    'e\u0301',
    '😀',
    '\u{e0001}',
    '　',
  ].map((text) => Buffer.from(text, 'utf8').toString('latin1')),
];

/** The classics, and names of random bytes, as many as are wanted; none of them twice. */
function hostileNames(): readonly string[] {
  const from = random(seed);
  const names = new Set(classics);
  const bytes = Array.from({ length: 255 }, (_, index) => String.fromCharCode(index + 1));
  const allowed = bytes.filter((byte) => byte !== '/' && byte !== '.');
  while (names.size < corpusSize) {
    const length = 1 + from.int(from.int(4) === 0 ? 255 : 12);
    names.add(Array.from({ length }, () => from.pick(allowed)).join(''));
  }
  return [...names];
}

function bytesOf(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}

/** Every byte percent-encoded, as a careful client would. */
function encode(name: string): string {
  return [...bytesOf(name)].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join('');
}

/** A path as a document has it, as latin1 bytes. */
function pathOf(document: { readonly path: string; readonly path_bytes?: string }): string {
  const { path, path_bytes: bytes } = document;
  return (bytes === undefined ? Buffer.from(path, 'utf8') : Buffer.from(bytes, 'base64')).toString('latin1');
}

/** Pins one map under each name, as a foreign hand does: under a harmless one, then renamed. */
async function plant(holder: Holder, directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await holder.tell(`pin:0:${join(directory, 'fresh')}`);
    renameSync(join(directory, 'fresh'), Buffer.concat([bytesOf(`${directory}/`), bytesOf(name)]));
  }
}

/** All items of a list, by pages. */
async function everything(caller: Caller, url: string): Promise<readonly { readonly path: string }[]> {
  const items: { readonly path: string }[] = [];
  for (let cursor = ''; ; ) {
    const page = await caller.ask({ method: 'GET', url: `${url}&limit=97${cursor}` });
    assert.equal(page.status, 200, JSON.stringify(page.body));
    items.push(...page.body.items);
    const next = page.body.next_cursor ?? page.body.next;
    if (next === undefined || next === null) return items;
    cursor = `&cursor=${encodeURIComponent(String(next))}`;
  }
}

function sorted(names: Iterable<string>): readonly string[] {
  return [...names].sort();
}

/** Controls, bidirectional overrides, marks nobody sees, and separators of lines. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

async function assertSurfaces(agent: TestAgent, caller: Caller): Promise<void> {
  const metrics = await caller.ask({ method: 'GET', url: '/metrics' });
  const judge = spawnSync('promtool', ['check', 'metrics'], {
    input: String(metrics.body),
    encoding: 'utf8',
  });
  assert.equal(`${judge.status} ${judge.stdout}${judge.stderr}`, '0 ', 'promtool has nothing to say');
  for (const log of agent.logs) {
    assert.equal(log.indexOf('\n'), log.length - 1, 'one line each');
    assert.doesNotMatch(log.trimEnd(), /\p{Cc}/u);
    assert.equal(typeof JSON.parse(log), 'object');
  }
  for (const words of [['get', 'pins'], ['get', 'pins', '-o', 'name'], ['tree'], ['get', 'events']]) {
    const options = { isTerminal: true, env: { NO_COLOR: '1' } };
    const { code, out } = await commandLine([...words, '--address', agent.socket], options);
    assert.equal(code, 0, words.join(' '));
    for (const line of out.split('\n')) assert.doesNotMatch(line, unprintable, words.join(' '));
  }
}

test('500 hostile names are listed, told, addressed and removed as what they are', async () => {
  const prototype = Object.getOwnPropertyNames(Object.prototype);
  await using agent = await testAgent();
  using holder = await hold('map:array:4:8:1:pf_hostile:0');
  using caller = callerOf(agent.socket);
  const directory = join(agent.bpffs.path, 'h');
  mkdirSync(directory);
  const names = hostileNames();
  await plant(holder, directory, names);
  symlinkSync('\x1b[2J\u202e', join(agent.bpffs.path, 'link'));
  const expected = sorted(names.map((name) => `h/${name}`));
  assert.deepEqual(sorted(readdirSync(directory, { encoding: 'latin1' })), sorted(names), 'readdir agrees');

  const listed = await everything(caller, '/v1/pins?prefix=h&fresh=true');
  assert.deepEqual(sorted(listed.map(pathOf)), expected);
  const known = await until(
    'all names in the list',
    () => everything(caller, '/v1/pins?prefix=h'),
    ({ length }) => length === corpusSize,
  );
  assert.deepEqual(sorted(known.map(pathOf)), expected);
  const tree = await everything(caller, '/v1/tree?prefix=h');
  assert.deepEqual(sorted(tree.map(pathOf).filter((path) => path !== 'h')), expected);
  const stream = await caller.ask({
    method: 'GET',
    url: '/v1/pins?prefix=h',
    headers: { accept: 'application/x-ndjson' },
  });
  const lines = String(stream.body)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(sorted(lines.filter((line) => 'path' in line).map(pathOf)), expected);
  const events = await everything(caller, `/v1/events?id=${holder.objects[0]?.id}`);
  const told = new Set(
    events
      .flatMap((event) => [Object(event).after, Object(event).subject])
      .flatMap((document) => (typeof document?.path === 'string' ? [pathOf(document)] : [])),
  );
  assert.deepEqual(
    expected.filter((path) => !told.has(path)),
    [],
    'every name is in an event',
  );

  for (const name of names) {
    const url = `/v1/pins/h/${encode(name)}`;
    const one = await caller.ask({ method: 'GET', url });
    assert.equal(one.status, 200, `${url}: ${JSON.stringify(one.body)}`);
    assert.equal(pathOf(one.body), `h/${name}`);
    const { ino } = statSync(Buffer.concat([bytesOf(`${directory}/`), bytesOf(name)]));
    assert.equal(one.body.inode, ino);
  }
  await assertSurfaces(agent, caller);
  for (const name of names) {
    const headers = { 'if-match': '*' };
    const gone = await caller.ask({ method: 'DELETE', url: `/v1/pins/h/${encode(name)}`, headers });
    assert.equal(gone.status, 204, `${encode(name)}: ${JSON.stringify(gone.body)}`);
  }
  assert.deepEqual(readdirSync(directory), []);
  await assertSurfaces(agent, caller);
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), prototype);
});

test('labels and members named like an object’s own parts are refused or kept as they are', async () => {
  const prototype = Object.getOwnPropertyNames(Object.prototype);
  await using agent = await testAgent();
  using holder = await hold('map:array:4:8:1:pf_labels:0');
  const source = `"source":{"kind":"map","id":${holder.objects[0]?.id}}`;
  const put = (rest: string) =>
    agent.local.put('/v1/pins/labelled').set('content-type', 'application/json').send(`{${source}${rest}}`);
  await put(',"__proto__":{"polluted":1}').expect(400);
  await put(',"labels":{"__proto__":"x"}').expect(400);
  await put(',"constructor":{"prototype":{"polluted":1}}').expect(({ status }) =>
    assert.ok(status >= 400 && status < 500),
  );
  const labels = { hasOwnProperty: 'a', toString: 'b', valueOf: 'c' };
  await put(`,"labels":${JSON.stringify(labels)}`).expect(201);
  const { body } = await agent.local.get('/v1/pins/labelled').expect(200);
  assert.deepEqual({ ...body.labels }, labels);
  assert.equal(Object(new Object()).polluted, undefined);
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), prototype);
});
