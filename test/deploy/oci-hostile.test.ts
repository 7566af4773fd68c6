import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { start } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { hookScript } from './oci-fixture.ts';

const agent = await testAgent();
after(() => agent[Symbol.asyncDispose]());

/** Runs the hook as a runtime does, in an empty directory, where anything that a name makes would show. */
async function hook(event: string, given: string, env: Readonly<Record<string, string | undefined>> = {}) {
  using dir = tempDir('hook');
  const own = { PINFOLD_SOCKET: agent.socket, PINFOLD_TIMEOUT: '1' };
  using child = start(hookScript, [event], { cwd: dir.path, env: { ...own, ...env } });
  child.write(given);
  child.end();
  const { code } = await child.exit(30_000);
  return { code, out: child.lines, err: child.stderr(), made: readdirSync(dir.path) };
}

const state = (annotations: unknown, id: unknown = 'c1'): string =>
  JSON.stringify({ ociVersion: '1.0.2', id, status: 'creating', annotations });

/** Names that a shell, curl, JSON or a URL would take for something else, all of them good names of pins. */
const names = [
  '$(touch canary)',
  '`touch canary`',
  '; touch canary #',
  "' touch canary '",
  '" -o canary "',
  '-o canary',
  '--config canary',
  '@canary',
  '%n%s',
  '\\n\\x41',
  'a?event=stop&within=9s#x',
  '{"detail":"x","code":"y"}',
  'line\nbreak\r\nHost: x',
  '\u001b]0;title\u0007',
  '\u202eright-to-left',
  'grün 漢字 🐑',
  '*',
  '~',
  'null',
  'a,b',
];

const encoded = (name: string): string =>
  [...Buffer.from(name)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

test('a pin of any name is waited for under that name, and nothing else happens', async () => {
  const patient = { PINFOLD_TIMEOUT: '60' };
  await Promise.all(
    names.map(async (name) => {
      const annotations = { 'pinfold/claim': encoded(name), 'pinfold/timeout': '20ms' };
      const late = await hook('start', state(annotations), patient);
      assert.deepEqual([late.code, late.out, late.made], [1, [], []], name);
      assert.match(late.err, /^pinfold-oci: No pin came to [\x20-\x7e]+ within 0.02 s\.\n$/, name);
      createMap(join(agent.bpffs.path, name), { name: 'pf_hostile' });
      const there = await hook('start', state({ 'pinfold/wait': encoded(name) }), patient);
      assert.deepEqual([there.code, there.out, there.err, there.made], [0, [], '', []], name);
    }),
  );
});

const refused: readonly (readonly [string, string, string])[] = [
  ['annotations that are shell', state({ 'pinfold/wait': '$(id) `id`; id' }), 'No pin came to'],
  ['a name with a dot', state({ 'pinfold/claim': '../../etc/passwd' }), 'is not a pin path'],
  ['half an escape', state({ 'pinfold/claim': 'a%2' }), 'is not a pin path'],
  ['a NUL', state({ 'pinfold/claim': 'a%00b' }), 'is not a pin path'],
  ['an annotation that is no text', state({ 'pinfold/claim': ['a'] }), 'not valid'],
  ['annotations that are no object', state('pinfold/claim'), 'not valid'],
  ['an id that is a path', state({}, '../../x'), 'not valid'],
  ['an id that is a URL', state({}, 'a?event=stop'), 'not valid'],
  ['no id', JSON.stringify({ annotations: {} }), 'not valid'],
  ['a prototype', '{"id":"c","annotations":{"__proto__":{"pinfold/wait":"x"}}}', 'JSON'],
  ['no JSON', '{"id":"c1",', 'JSON'],
  ['a word', 'nothing', 'JSON'],
  ['nothing', '', ''],
  ['text that looks like an answer', '{"detail":"all is well","code":"x"}\n204', 'JSON'],
];

for (const [what, given, reason] of refused) {
  test(`with ${what} no container starts, and the reason is said`, async () => {
    const { code, out, err, made } = await hook('start', given);
    assert.deepEqual([code, out, made], [1, [], []], err);
    assert.match(err, /^pinfold-oci: [^\n]+\n$/);
    assert.ok(err.includes(reason), err);
    assert.equal(existsSync('/tmp/canary'), false);
  });
}

test('the end of a container never fails, whatever is wrong, and says what stays', async () => {
  const cases: readonly (readonly [string, string])[] = [
    [state({}, 'c9'), '/nowhere/agent.sock'],
    ['no JSON', agent.socket],
  ];
  for (const [given, socket] of cases) {
    const { code, err } = await hook('stop', given, { PINFOLD_SOCKET: socket });
    assert.equal(code, 0);
    assert.match(err, /claims of an ended container stay/);
  }
});

test('an event or a time that nobody knows is refused before anything is asked', async () => {
  for (const event of ['', 'restart', 'start&event=stop']) assert.equal((await hook(event, '{}')).code, 1);
  for (const time of ['0', '08', '1000', '1;id', '-1', ' 5']) {
    const { code, err } = await hook('start', state({}), { PINFOLD_TIMEOUT: time });
    assert.deepEqual([code, err.includes('PINFOLD_TIMEOUT')], [1, true], time);
  }
});

test('neither a .curlrc nor a proxy of the environment comes between', async () => {
  using home = tempDir('home');
  const rc = join(home.path, '.curlrc');
  writeFileSync(rc, `output = ${join(home.path, 'taken')}\nunix-socket = /nowhere\n`);
  const env = { HOME: home.path, CURL_HOME: home.path, http_proxy: 'http://127.0.0.1:1', PATH: '/nowhere' };
  assert.equal((await hook('start', state({}), env)).code, 0);
  assert.equal(existsSync(join(home.path, 'taken')), false);
});
