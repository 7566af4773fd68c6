import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test, { after, before } from 'node:test';
import { parse } from 'yaml';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap, isAlive, lookupEntry } from '../support/bpftool.ts';
import { type CommandOptions, commandLine, type Ran } from '../support/command-line.ts';
import { hold } from '../support/hold.ts';
import { until } from '../support/until.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(() => agent[Symbol.asyncDispose]());

async function pinfold(words: readonly string[], options: CommandOptions = {}): Promise<Ran> {
  return await commandLine([...words, '--address', agent.socket], options);
}

/** A pinned map, its path in the bpffs and on the machine. */
function mapAt(name: string, spec: Parameters<typeof createMap>[1] = {}): { id: number; path: string } {
  const path = `${agent.bpffs.path}/${name}`;
  return { id: createMap(path, { name: 'pf_cli', ...spec }).id, path };
}

test('entry put writes by typed key and by bytes, and says whether there was one', async () => {
  const { id, path } = mapAt('written', { value: 4 });
  const first = await pinfold(['entry', 'put', 'written', '7', '9', '--key-as', 'u32', '--value-as', 'u32']);
  assert.deepEqual([first.code, first.out], [0, `map:${id} 7 created\n`], first.err);
  assert.deepEqual(lookupEntry(path, Uint8Array.of(7, 0, 0, 0)), Uint8Array.of(9, 0, 0, 0));
  const second = await pinfold(['entry', 'put', `map:${id}`, 'hex:07000000', 'hex:01020304']);
  assert.deepEqual([second.code, second.out], [0, `map:${id} hex:07000000 written\n`], second.err);
  assert.deepEqual(lookupEntry(path, Uint8Array.of(7, 0, 0, 0)), Uint8Array.of(1, 2, 3, 4));
  const bytes = await pinfold(['entry', 'put', String(id), '8', 'hex:05060708', '--key-as', 'be32']);
  assert.equal(bytes.code, 0, bytes.err);
  assert.deepEqual(lookupEntry(path, Uint8Array.of(0, 0, 0, 8)), Uint8Array.of(5, 6, 7, 8));
});

test('entry put --mode keeps to what it says: 4 where the entry is there, 3 where it is not', async () => {
  const { id, path } = mapAt('modes', { value: 4 });
  const put = async (key: string, mode: string) =>
    await pinfold(['entry', 'put', String(id), `hex:${key}`, 'hex:00000001', '--mode', mode]);
  assert.equal((await put('01000000', 'update')).code, 3);
  assert.equal((await put('01000000', 'create')).code, 0);
  assert.equal((await put('01000000', 'create')).code, 4);
  assert.equal((await put('01000000', 'update')).code, 0);
  assert.equal((await put('01000000', 'sometimes')).code, 2);
  const planned = await pinfold(['entry', 'put', String(id), 'hex:02000000', 'hex:00000002', '--dry-run']);
  assert.match(planned.out, /^would /);
  assert.equal(lookupEntry(path, Uint8Array.of(2, 0, 0, 0)), undefined);
});

test('entry rm removes the keys it is given, also on stdin, and says which are not there', async () => {
  const { id, path } = mapAt('removed', { value: 4 });
  for (const key of ['01', '02', '03'])
    await pinfold(['entry', 'put', String(id), `hex:${key}000000`, 'hex:00000000']);
  const some = await pinfold(['entry', 'rm', 'removed', 'hex:01000000', 'hex:09000000', 'hex:02000000']);
  assert.equal(some.code, 3);
  assert.equal(some.out, `map:${id} hex:01000000 removed\nmap:${id} hex:02000000 removed\n`);
  assert.match(some.err, /pinfold: /);
  const rest = await pinfold(['entry', 'rm', 'removed', '-'], { stdin: 'hex:03000000\n' });
  assert.equal(rest.code, 0, rest.err);
  assert.equal(lookupEntry(path, Uint8Array.of(3, 0, 0, 0)), undefined);
});

test('count tells how full maps are, freeze closes them, and a frozen one refuses', async () => {
  const { id, path } = mapAt('counted', { value: 4, entries: 8 });
  for (const key of ['01', '02'])
    await pinfold(['entry', 'put', String(id), `hex:${key}000000`, 'hex:00000000']);
  const counted = await pinfold(['count', 'counted']);
  assert.deepEqual([counted.out, counted.err], [`map:${id}  2 of 8 (25.0 %)\n`, '']);
  const document = JSON.parse((await pinfold(['count', 'counted', '-o', 'json'])).out);
  assert.deepEqual([document.id, document.count, document.complete], [id, 2, true]);
  assert.equal((await pinfold(['freeze', 'counted'])).out, `map:${id} frozen\n`);
  const [frozen] = [
    JSON.parse(execFileSync('bpftool', ['-j', 'map', 'show', 'pinned', path], { encoding: 'utf8' })),
  ];
  assert.equal(frozen.frozen, 1);
  const refused = await pinfold(['entry', 'put', 'counted', 'hex:01000000', 'hex:00000000']);
  assert.equal(refused.code, 4, refused.err);
  assert.match(refused.err, /frozen/);
});

test('spec prints what makes an equal map as YAML, and with --gone of one that is gone', async () => {
  const { id, path } = mapAt('specified', { value: 12, entries: 6, name: 'pf_specified' });
  await pinfold(['entry', 'put', String(id), 'hex:01000000', `hex:${'ab'.repeat(12)}`]);
  const told = parse((await pinfold(['spec', 'map', 'specified', '--entries'])).out);
  assert.deepEqual(
    [told.name, told.value_size, told.max_entries, told.entries],
    ['pf_specified', 12, 6, [{ key: '01000000', value: 'ab'.repeat(12) }]],
  );
  assert.equal(told.about.state, 'present');
  await until('it to be stored', async () => (await pinfold(['spec', 'map', 'specified'])).code === 0);
  await until(
    'it to be stored',
    async () => (await agent.local.get('/v1/specifications?path=specified')).body.items.length === 1,
  );
  execFileSync('rm', [path]);
  await until('it to be freed', () => !isAlive('map', id));
  const gone = await until(
    'it to be known as gone',
    async () => await pinfold(['spec', 'map', 'specified', '--gone', '-o', 'json']),
    ({ code }) => code === 0,
  );
  assert.equal(JSON.parse(gone.out).value_size, 12);
  assert.match(gone.err, new RegExp(`^map:${id}, gone \\d+s ago\n`));
  assert.equal(
    JSON.parse((await pinfold(['spec', 'map', 'pf_specified', '--gone', '-o', 'json'])).out).value_size,
    12,
  );
  assert.equal(
    JSON.parse((await pinfold(['spec', 'map', String(id), '-o', 'json'])).out).about.state,
    'gone',
  );
  assert.equal((await pinfold(['spec', 'map', 'never_was', '--gone'])).code, 2);
  assert.equal((await pinfold(['spec', 'map', '2147483647'])).code, 3);
});

test('spec program prints what is known of one, and what is not recoverable', async () => {
  using holder = await hold('prog:xdp:pf_spec_prog');
  const id = String(holder.objects[0]?.id);
  const told = parse((await pinfold(['spec', 'program', `program:${id}`])).out);
  assert.equal(told.expected_attach_type, 'xdp');
  assert.ok(told.about.not_recoverable.some(({ member }: { member: string }) => member === 'license'));
  assert.equal((await pinfold(['spec', 'prog', id, '-o', 'json'])).code, 0);
});
