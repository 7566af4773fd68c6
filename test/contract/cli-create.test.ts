import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap, lookupEntry, pinnedMap, updateEntry } from '../support/bpftool.ts';
import { type CommandOptions, commandLine, type Ran } from '../support/command-line.ts';
import { hold } from '../support/hold.ts';
import { tempDir } from '../support/temp-dir.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(() => agent[Symbol.asyncDispose]());

async function pinfold(words: readonly string[], options: CommandOptions = {}): Promise<Ran> {
  return await commandLine([...words, '--address', agent.socket], options);
}

function at(path: string): string {
  return `${agent.bpffs.path}/${path}`;
}

const sizes = ['--key', '4', '--value', '8', '--entries', '16'];

test('create map makes what its options say, with a pin as they say', async () => {
  const made = await pinfold([
    ...['create', 'map', 'team/counts', '--type', 'hash', ...sizes, '--name', 'pf_counts'],
    ...['--flag', 'no_prealloc', '--parents', '--mode', '0640', '--label', 'team=net', '--owner', 'me'],
  ]);
  assert.equal(made.code, 0, made.err);
  const map = pinnedMap(at('team/counts'));
  assert.equal(made.out, `map ${map.id} hash pf_counts created and pinned at team/counts\n`);
  const { type, name, flags, bytes_key, bytes_value, max_entries } = map;
  assert.deepEqual(
    [type, name, flags, bytes_key, bytes_value, max_entries],
    ['hash', 'pf_counts', 1, 4, 8, 16],
  );
  const pin = (await agent.local.get('/v1/pins/team/counts').expect(200)).body;
  assert.deepEqual([pin.mode, pin.labels, pin.owner, pin.managed], ['0640', { team: 'net' }, 'me', true]);
});

test('create map -f makes an equal map of what spec prints, options put over it', async () => {
  const { id } = createMap(at('first'), { value: 4, entries: 5, name: 'pf_first', type: 'lru_hash' });
  updateEntry(at('first'), Uint8Array.of(1, 0, 0, 0), Uint8Array.of(2, 2, 2, 2));
  const yaml = (await pinfold(['spec', 'map', String(id), '--entries'])).out;
  const second = await pinfold(['create', 'map', 'second', '-f', '-'], { stdin: yaml });
  assert.equal(second.code, 0, second.err);
  const { id: _, pinned: __, ...copy } = pinnedMap(at('second'));
  const { id: ___, pinned: ____, ...original } = pinnedMap(at('first'));
  assert.deepEqual(copy, original);
  using dir = tempDir('create');
  const file = `${dir.path}/map.json`;
  writeFileSync(file, (await pinfold(['spec', 'map', String(id), '-o', 'json'])).out);
  const third = await pinfold([
    'create',
    'map',
    'third',
    '-f',
    file,
    '--entries',
    '50',
    '--name',
    'pf_third',
  ]);
  assert.equal(third.code, 0, third.err);
  assert.deepEqual([pinnedMap(at('third')).max_entries, pinnedMap(at('third')).name], [50, 'pf_third']);
});

test('a frozen map is copied with its entries; one without them is told to be empty for good', async () => {
  const { id } = createMap(at('frozen'), { value: 4, entries: 5, name: 'pf_frozen' });
  updateEntry(at('frozen'), Uint8Array.of(1, 0, 0, 0), Uint8Array.of(2, 2, 2, 2));
  assert.equal((await pinfold(['freeze', 'frozen'])).code, 0);
  const copied = await pinfold(['create', 'map', 'frozen2', '-f', '-'], {
    stdin: (await pinfold(['spec', 'map', 'frozen'])).out,
  });
  assert.deepEqual([copied.code, copied.err], [0, '']);
  assert.deepEqual([...(lookupEntry(at('frozen2'), Uint8Array.of(1, 0, 0, 0)) ?? [])], [2, 2, 2, 2]);
  assert.equal(pinnedMap(at('frozen2')).frozen, 1);
  const bare = await pinfold(['spec', 'map', String(id), '--no-entries']);
  assert.doesNotMatch(bare.out, /^entries:/m);
  const empty = await pinfold(['create', 'map', 'frozen3', '-f', '-'], { stdin: bare.out });
  assert.equal(empty.code, 0, empty.err);
  assert.equal(
    empty.err,
    'pinfold: A map that is frozen without entries can never be filled from user space.\n',
  );
  assert.equal((await pinfold(['spec', 'map', 'frozen', '--no-entries', '--limit', '1'])).code, 2);
});

test('create map takes types of another map, and another map as its template', async () => {
  using holder = await hold('map:array:4:32:3:pf_tmpl:0');
  const inner = String(holder.objects[0]?.id);
  const outer = ['--type', 'hash_of_maps', '--key', '4', '--value', '4', '--entries', '2', '--inner', inner];
  const made = await pinfold(['create', 'map', 'outer', ...outer]);
  assert.equal(made.code, 0, made.err);
  const spec = JSON.parse((await pinfold(['spec', 'map', 'outer', '-o', 'json'])).out);
  assert.deepEqual(spec.inner, { type: 'array', key_size: 4, value_size: 32, max_entries: 3 });
  const alone = await pinfold(['create', 'map', 'typed', '--type', 'hash', ...sizes, '--key-type', 'int']);
  assert.equal(alone.code, 2);
  assert.match(alone.err, /--btf-of/);
});

test('create map: a dry run makes nothing, a name that is taken conflicts, nonsense is refused', async () => {
  const planned = await pinfold(['create', 'map', 'planned', '--type', 'array', ...sizes, '--dry-run']);
  assert.equal(planned.code, 0, planned.err);
  assert.match(planned.out, /^would /);
  assert.throws(() => execFileSync('ls', [at('planned')], { stdio: 'pipe' }));
  createMap(at('taken'));
  assert.equal((await pinfold(['create', 'map', 'taken', '--type', 'array', ...sizes])).code, 4);
  assert.equal((await pinfold(['create', 'map', 'no_type', ...sizes])).code, 2);
  assert.equal((await pinfold(['create', 'map', '--type', 'array', ...sizes])).code, 2);
  assert.equal((await pinfold(['create', 'map', 'list', '-f', '-'], { stdin: '[1]' })).code, 2);
  assert.equal((await pinfold(['create', 'map', 'bad', '-f', '-'], { stdin: '{"a' })).code, 2);
  const odd = await pinfold(['create', 'map', 'odd', '--type', 'no_such_type', ...sizes]);
  assert.equal(odd.code, 1);
  assert.match(odd.err, /must be a type of map: hash/);
  const hostile = await pinfold(['create', 'map', 'evil\\x1b[31m', '--type', 'array', ...sizes]);
  assert.equal(hostile.code, 0, hostile.err);
  assert.match(hostile.out, /evil\\x1b\[31m\n$/);
});
