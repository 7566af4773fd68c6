import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { parse as parseYaml } from 'yaml';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap, isAlive, pinById, pinnedMap } from '../support/bpftool.ts';
import { type CommandOptions, commandLine, type Ran } from '../support/command-line.ts';
import { hold } from '../support/hold.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { watching } from '../support/watching.ts';

const agent: TestAgent = await testAgent();
after(() => agent[Symbol.asyncDispose]());

const hostileName = 'a\nb\u001b[31m\u202e';
const hostileShown = 'a\\x0ab\\x1b[31m\\xe2\\x80\\xae';

async function pinfold(words: readonly string[], options: CommandOptions = {}): Promise<Ran> {
  return await commandLine([...words, '--address', agent.socket], options);
}

/** Where something is in the agent's bpffs. */
function at(...names: readonly string[]): string {
  return join(agent.bpffs.path, ...names);
}

/** Runs a command that must succeed, and gives what it printed. */
async function succeed(words: readonly string[], options: CommandOptions = {}): Promise<string> {
  const ran = await pinfold(words, options);
  assert.equal(ran.code, 0, ran.err);
  return ran.out;
}

/** A map in a directory of the test's own, and the directory. */
function makeMap(directory: string, name = 'map'): { readonly path: string; readonly id: number } {
  mkdirSync(at(directory), { recursive: true });
  return { path: `${directory}/${name}`, id: createMap(at(directory, name), { name: 'pf_cli' }).id };
}

test('every output format of a list parses back to the same pins', async () => {
  const { id } = makeMap('formats');
  pinById('map', id, at('formats', hostileName));
  const list = ['get', 'pins', '--prefix', 'formats', '--fresh'];
  const { items } = JSON.parse(await succeed([...list, '-o', 'json']));
  assert.deepEqual(items.map((pin: { path: string }) => pin.path).sort(), [
    `formats/${hostileName}`,
    'formats/map',
  ]);
  assert.deepEqual(parseYaml(await succeed([...list, '-o', 'yaml'])), { items });
  const lines = (await succeed([...list, '-o', 'ndjson'])).trim().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    items,
  );
  const names = (await succeed([...list, '-o', 'name'])).trim().split('\n');
  assert.deepEqual(names, [`formats/${hostileShown}`, 'formats/map']);
  for (const format of ['table', 'wide']) {
    const [header, ...rows] = (await succeed([...list, '-o', format])).trimEnd().split('\n');
    const titles = header?.split(/ {3,}/) ?? [];
    assert.deepEqual(titles.slice(0, 3), ['PATH', 'KIND', 'ID']);
    for (const row of rows) assert.equal(row.split(/ {3,}/).length, titles.length, row);
    assert.deepEqual(
      rows.map((row) => row.split(/ {3,}/)[0]),
      names,
    );
  }
  const bare = await succeed([...list, '--no-headers']);
  assert.equal(bare.trimEnd().split('\n').length, 2);
});

test('a hostile name reaches no terminal in any format, command or message', async () => {
  makeMap('hostile', hostileName);
  const typed = `hostile/${hostileShown}`;
  const commands = [
    ['get', 'pins', '--prefix', 'hostile', '--fresh'],
    ['get', 'pin', typed, '-o', 'wide'],
    ['describe', 'pin', typed],
    ['get', 'pin', typed, '-o', 'json'],
    ['get', 'pin', typed, '-o', 'yaml'],
    ['tree', 'hostile'],
    ['tree', `${typed}z`],
    ['unpin', typed],
    ['unpin', typed, '--dry-run'],
    ['set', typed, '--owner', 'x'],
    ['mv', typed, `${typed}x`],
    ['get', 'pin', `${typed}y`],
    ['get', hostileName],
    ['unpin', typed, '--bogus', hostileName],
    ['pin', hostileName, 'x'],
  ];
  for (const words of commands) {
    for (const isTerminal of [false, true]) {
      const { out, err } = await pinfold(words, { isTerminal, env: { NO_COLOR: '1' } });
      assert.doesNotMatch(out + err, /\p{Cf}|[^\P{Cc}\n]/u, words.join(' '));
      assert.notEqual(out + err, '');
    }
  }
});

test('names that get prints can be piped to unpin, whatever bytes they have', async () => {
  const { id } = makeMap('piped', hostileName);
  for (const name of ['back\\slash', ' lead', '-rf', 'ünïcode']) pinById('map', id, at('piped', name));
  const names = await succeed(['get', 'pins', '--prefix', 'piped', '--fresh', '-o', 'name']);
  assert.equal(names.trim().split('\n').length, 5);
  const out = await succeed(['unpin', '-', '--accept', 'last_reference'], { stdin: names });
  assert.equal(out.trim().split('\n').length, 5);
  assert.deepEqual(readdirSync(at('piped')), []);
});

test('a pin is made from an id, from a pin, and from a descriptor of a process', async () => {
  const { id } = makeMap('sources');
  using holder = await hold('map:hash:4:8:16:pf_held:0');
  const [held] = holder.objects;
  assert.match(
    await succeed(['pin', `map:${id}`, 'sources/by/id', '--parents', '--mode', '0640']),
    /^sources\/by\/id pinned \(map/,
  );
  await succeed(['pin', 'pin:sources/map', 'sources/by/pin', '--label', 'a=b', '--owner', 'me']);
  await succeed(['pin', `pid:${holder.pid}/fd:${held?.fd}`, 'sources/by/fd']);
  assert.equal(pinnedMap(at('sources/by/id')).id, id);
  assert.equal(pinnedMap(at('sources/by/pin')).id, id);
  assert.equal(pinnedMap(at('sources/by/fd')).id, held?.id);
  assert.equal(statSync(at('sources/by/id')).mode & 0o777, 0o640);
  const pin = JSON.parse(await succeed(['get', 'pin', 'sources/by/pin', '-o', 'json']));
  assert.deepEqual([pin.labels, pin.owner], [{ a: 'b' }, 'me']);
  assert.match(await succeed(['pin', `map:${id}`, 'sources/by/id']), /is as asked/);
  for (const none of ['map:0', 'map:5x']) {
    const { code, err } = await pinfold(['pin', none, 'sources/none']);
    assert.equal(code, 2);
    assert.match(err, new RegExp(`${none.slice(4)} is not the id of a map`));
  }
});

test('a path that holds something else is a conflict, replaced only when asked', async () => {
  const old = makeMap('replace', 'path');
  const other = makeMap('replace', 'other');
  const refused = await pinfold(['pin', `map:${other.id}`, old.path]);
  assert.equal(refused.code, 4);
  assert.match(refused.err, /`pinfold pin` with --replace puts another object in its place/);
  const onto = await pinfold(['mv', other.path, old.path]);
  assert.equal(onto.code, 4);
  assert.match(onto.err, /`pinfold mv` with --replace puts another object in its place/);
  const hazard = await pinfold(['pin', `map:${other.id}`, old.path, '--replace']);
  assert.equal(hazard.code, 4);
  assert.match(hazard.err, /--accept last_reference/);
  const plan = await succeed(['pin', `map:${other.id}`, old.path, '--replace', '--dry-run']);
  assert.match(plan, /^would replace replace\/path: .*\[last_reference\]\n$/);
  assert.equal(pinnedMap(at(old.path)).id, old.id);
  await succeed(['pin', `map:${other.id}`, old.path, '--replace', '--accept', 'last_reference']);
  assert.equal(pinnedMap(at(old.path)).id, other.id);
});

test('the last pin is not removed by accident, and is when that is meant', async () => {
  const { path, id } = makeMap('last');
  const refused = await pinfold(['unpin', path]);
  assert.equal(refused.code, 4);
  assert.match(
    refused.err,
    /^pinfold: .*the kernel would free it.*\n {2}To do it all the same, .*--accept last_reference\n$/,
  );
  assert.ok(existsSync(at(path)));
  assert.match(
    await succeed(['unpin', path, '--accept', 'last_reference']),
    /^last\/map unpinned \(map \d+ hash pf_cli\)\n$/,
  );
  await until('the map to be freed', () => !isAlive('map', id));
});

test('several pins are removed though one is not there, and the exit code says so', async () => {
  const { id } = makeMap('several', 'a');
  pinById('map', id, at('several/b'));
  pinById('map', id, at('several/c'));
  const ran = await pinfold(['unpin', 'several/a', 'several/nope', 'several/b']);
  assert.equal(ran.code, 3);
  assert.equal(ran.out.trim().split('\n').length, 2);
  assert.match(ran.err, /several\/nope/);
  assert.deepEqual(readdirSync(at('several')), ['c']);
});

test('a long path is cut in a table, and whole in a wide one', async () => {
  const { path } = makeMap(`wide/${'x'.repeat(120)}`);
  const list = ['get', 'pins', '--prefix', 'wide', '--fresh'];
  assert.match(await succeed(list), /^wide\/x{74}… {3}map /m);
  assert.match(await succeed([...list, '-o', 'wide']), new RegExp(`^${path} `, 'm'));
});

test('what is not there is exit code 3, for every noun', async () => {
  const missing = [
    ['pin', 'no/such'],
    ['map', '2147483000'],
    ['program', '2147483000'],
    ['link', '2147483000'],
    ['btf', '2147483000'],
    ['operation', 'nope'],
    ['mount', '9:99999'],
  ];
  for (const words of missing) {
    assert.equal((await pinfold(['get', ...words])).code, 3, words.join(' '));
    assert.equal((await pinfold(['describe', ...words])).code, 3, words.join(' '));
  }
});

test('a viewer who wants to change something gets exit code 5 and is told what is needed', async () => {
  const { path } = makeMap('forbidden');
  using dir = tempDir('viewer');
  const tokenFile = join(dir.path, 'token');
  writeFileSync(tokenFile, await agent.token('viewer'), { mode: 0o600 });
  const asViewer = ['--address', agent.url, '--token-file', tokenFile];
  assert.equal((await commandLine(['get', 'pin', path, ...asViewer])).code, 0);
  const refused = await commandLine(['unpin', path, '--force', ...asViewer]);
  assert.equal(refused.code, 5);
  assert.match(refused.err, /higher role/);
  const unknown = await commandLine(['get', 'pins', '--address', agent.url]);
  assert.equal(unknown.code, 5);
  assert.match(unknown.err, /--token-file/);
});

test('a pin replaced between look and removal stays, because the identity seen is sent', async () => {
  const { path } = makeMap('race');
  const other = makeMap('race', 'other');
  using dir = tempDir('race');
  const socketPath = join(dir.path, 's');
  const between = createServer((incoming, response) => {
    const { method, url, headers } = incoming;
    const forward = (): void => {
      const onward = request({ socketPath: agent.socket, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      incoming.pipe(onward);
    };
    if (method !== 'DELETE') return forward();
    void pinfold(['pin', `map:${other.id}`, path, '--replace', '--force']).then(forward);
  });
  await new Promise<void>((resolve) => void between.listen(socketPath, resolve));
  const ran = await commandLine(['unpin', path, '--force', '--address', socketPath]);
  between.closeAllConnections();
  await new Promise((resolve) => void between.close(resolve));
  assert.equal(ran.code, 4, ran.err);
  assert.match(ran.err, /Somebody changed it in between/);
  assert.equal(pinnedMap(at(path)).id, other.id);
});

test('pins are renamed and set, directories made and removed', async () => {
  const { path, id } = makeMap('moves');
  await succeed(['set', path, '--owner', 'team', '--label', 'x=1', '--mode', '0600']);
  assert.match(
    await succeed(['mv', path, 'moves/new/name', '--parents']),
    /^moves\/map is now moves\/new\/name/,
  );
  assert.equal(pinnedMap(at('moves/new/name')).id, id);
  const moved = JSON.parse(await succeed(['get', 'pin', 'moves/new/name', '-o', 'json']));
  assert.deepEqual([moved.owner, moved.labels], ['team', { x: '1' }]);
  assert.equal(await succeed(['mkdir', 'moves/d', '--mode', '0750']), 'moves/d made\n');
  assert.equal(statSync(at('moves/d')).mode & 0o777, 0o750);
  assert.equal(await succeed(['mkdir', 'moves/d']), 'moves/d was there already\n');
  assert.equal((await pinfold(['rmdir', 'moves/new'])).code, 4);
  assert.equal(await succeed(['rmdir', 'moves/d']), 'moves/d removed\n');
  assert.equal(existsSync(at('moves/d')), false);
});

test('a batch is all or nothing, from YAML or JSON', async () => {
  const { path } = makeMap('batch');
  const good = `- {op: mkdir, path: batch/in}\n- {op: pin, path: batch/in/copy, source: {pin: ${path}}}\n`;
  assert.match(
    await succeed(['batch', '-f', '-'], { stdin: good }),
    /^2 operations applied \([0-9A-Z]{26}\)\n$/,
  );
  const bad = JSON.stringify({
    operations: [
      { op: 'mkdir', path: 'batch/x' },
      { op: 'unpin', path: 'batch/nope' },
    ],
  });
  const refused = await pinfold(['batch', '-f', '-'], { stdin: bad });
  assert.equal(refused.code, 3);
  assert.match(refused.err, /There is no pin at "batch\/nope"\.\n/);
  assert.deepEqual(readdirSync(at('batch')).sort(), ['in', 'map']);
  assert.equal((await pinfold(['batch', '-f', '/nope'])).code, 2);
  assert.equal((await pinfold(['batch', '-f', '-'], { stdin: 'a: [' })).code, 2);
});

test('a tree shows directories, pins with what they hold, and where links point', async () => {
  const { id } = makeMap('tree/sub');
  symlinkSync('sub/map', at('tree/link'));
  const expected = [
    'tree',
    '|-- link -> sub/map',
    '`-- sub/',
    `    \`-- map  map ${id} hash pf_cli`,
    '',
    '1 directory, 1 pin, 1 symbolic link',
    '',
  ];
  assert.deepEqual((await succeed(['tree', 'tree', '--fresh'])).split('\n'), expected);
  mkdirSync(at('bare'));
  assert.equal(await succeed(['tree', 'bare', '--fresh']), 'bare\n\n0 directories, 0 pins\n');
  const none = await pinfold(['tree', 'nope', '--fresh']);
  assert.deepEqual([none.code, none.out], [3, '']);
  assert.match(none.err, /no directory at "nope"/);
  const drawn = await succeed(['tree', 'tree'], { isTerminal: true, env: { NO_COLOR: '1' } });
  assert.match(drawn, /├── link -> sub\/map\n└── sub\/\n {4}└── map/);
});

test('tokens are made, used, listed and revoked; a backup is written', async () => {
  using dir = tempDir('tokens');
  const tokenFile = join(dir.path, 'token');
  writeFileSync(
    tokenFile,
    await succeed(['token', 'create', 'ci', '--role', 'operator', '--expires-in', '1h']),
  );
  const asToken = ['get', 'node', '-o', 'name', '--address', agent.url, '--token-file', tokenFile];
  assert.deepEqual(await commandLine(asToken), { code: 0, out: 'test-node\n', err: '' });
  assert.match(await succeed(['token', 'list', '--no-headers']), /^ci +operator/m);
  assert.equal(await succeed(['token', 'revoke', 'ci']), 'ci revoked\n');
  assert.equal((await commandLine(asToken)).code, 5);
  const file = (await succeed(['backup', '-o', 'name'])).trim();
  assert.ok(statSync(file).size > 0);
});

test('a watch prints what is there, then each change, until nobody reads', async () => {
  const { path, id } = makeMap('watched');
  const words = [
    'get',
    'pins',
    '--prefix',
    'watched',
    '-w',
    '--interval',
    '20ms',
    '--fresh',
    '--address',
    agent.socket,
  ];
  const { lines, ended, close } = watching(words);
  await until('the first list', () => lines.some((line) => line.includes(path)));
  pinById('map', id, at('watched/second'));
  await until('the new pin', () => lines.some((line) => /^added +watched\/second/.test(line)));
  await succeed(['set', 'watched/second', '--owner', 'me']);
  await until('the change', () => lines.some((line) => /^modified +watched\/second .* me /.test(line)));
  close();
  await succeed(['unpin', 'watched/second']);
  assert.equal(await ended, 0);
  assert.equal((await pinfold(['events', '-w', '--until', '5m'])).code, 2, 'it would wait for ever');
});

test('doctor finds nothing wrong with a sound agent, and leave refuses while it runs', async () => {
  const places = [
    '--bpffs',
    agent.bpffs.path,
    '--state-dir',
    agent.config.stateDir,
    '--run-dir',
    agent.config.runDir,
  ];
  // Whatever else is on this machine has findings of its own: only the exit code knows of those.
  const told = await succeed(['doctor', ...places, '--fail-on', 'never', '-o', 'json']);
  const { items } = JSON.parse(told);
  const severities = new Map(
    items.map((check: { name: string; severity: string }) => [check.name, check.severity]),
  );
  for (const name of [
    'user',
    'bpf(2)',
    'bpffs',
    'staging',
    'state directory',
    'admin token',
    'run directory',
    'agent',
  ]) {
    assert.equal(severities.get(name), 'ok', name);
  }
  assert.equal(severities.get('bpffs root'), 'warn');
  assert.equal((await pinfold(['doctor', ...places, '--fail-on', 'warn'])).code, 1);
  const refused = await pinfold(['leave', ...places]);
  assert.equal(refused.code, 4);
  assert.match(refused.err, new RegExp(`running as process ${process.pid}`));
  await succeed(['token', 'revoke', 'admin']);
  const after = JSON.parse(await succeed(['doctor', ...places, '--fail-on', 'never', '-o', 'json']));
  const token = after.items.find(({ name }: { readonly name: string }) => name === 'admin token');
  assert.equal(token.severity, 'warn');
  assert.match(token.finding, /admin\.token holds a token that was revoked/);
});
