import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import test from 'node:test';
import { createMap, pinnedMap, updateEntry } from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { makeCgroups } from '../support/cgroups.ts';
import { hold } from '../support/hold.ts';
import { untilPasses } from '../support/until.ts';
import { findingAgent, idsOf } from './finding-fixture.ts';

const word = (value: number, bytes: number): Buffer => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUInt32LE(value);
  return buffer;
};

test('prog_array_single_user: one pin and a program; not with two pins, nor without a program', async () => {
  await using at = await findingAgent();
  const { path } = at.bpffs;
  using holder = await hold(
    ...['relied', 'twice', 'unused'].flatMap((name, map) => [
      `map:prog_array:4:4:4:pf_calls:0`,
      `pin:${map}:${path}/${name}`,
    ]),
    `pin:1:${path}/second`,
    'prog:xdp:pf_caller:0',
    'prog:xdp:pf_caller:1',
    ...[0, 1, 2].map((map) => `close:${map}`),
  );
  const maps = idsOf(holder.objects).slice(0, 3);
  const [relied = 0] = maps;
  await at.untilFound('prog_array_single_user', maps, [relied]);
});

test('program_outdated: another of that name runs; not the same, nor one of another name', async () => {
  await using at = await findingAgent();
  const { path } = at.bpffs;
  using groups = makeCgroups(3);
  const link = (program: number, group: number) => `link:cgroup:${program}:${groups.paths[group]}`;
  using holder = await hold(
    'map:array:4:8:1:pf_any:0',
    // Pinned programs 1, 2, 3; the attached ones are 4 (with a map: other instructions), 5 (the same), 6.
    'prog:cgroup_skb:pf_stale',
    'prog:cgroup_skb:pf_fresh',
    'prog:cgroup_skb:pf_alone',
    'prog:cgroup_skb:pf_stale:0',
    'prog:cgroup_skb:pf_fresh',
    'prog:cgroup_skb:pf_other:0',
    ...[link(4, 0), link(5, 1), link(6, 2)],
    ...[1, 2, 3].map((program) => `pin:${program}:${path}/p${program}`),
    ...[1, 2, 3].map((program) => `close:${program}`),
  );
  const programs = idsOf(holder.objects).slice(1, 4);
  const [stale = 0] = programs;
  await at.untilFound('program_outdated', programs, [stale]);
  await untilPasses(async () => {
    const [finding] = (await at.find('program_outdated')).filter(({ subject }) => subject.id === stale);
    assert.match(finding?.summary ?? '', /pf_stale/);
  });
  // The stale one is put to use from its pin: it is not out of date any more.
  using user = await hold(`get:${path}/p1`, `link:cgroup:0:${groups.paths[0]}`);
  await at.untilFound('program_outdated', [stale, user.objects[0]?.id ?? 0], []);
});

test('ringbuf_one_sided: a side is missing; not where both are there', async () => {
  await using at = await findingAgent();
  const { path } = at.bpffs;
  using holder = await hold(
    'map:ringbuf:0:0:4096:pf_unread:0',
    `pin:0:${path}/unread`,
    'map:ringbuf:0:0:4096:pf_unwritten:0',
    'map:ringbuf:0:0:4096:pf_both:0',
    'map:user_ringbuf:0:0:4096:pf_to_kernel:0',
    'prog:xdp:pf_writer:0',
    'prog:xdp:pf_writer:2',
    'close:0',
  );
  const [unread = 0, unwritten = 0, both = 0, user = 0] = idsOf(holder.objects);
  await at.untilFound('ringbuf_one_sided', [unread, unwritten, both, user], [unread, unwritten, user]);
  await untilPasses(async () => {
    const found = await at.find('ringbuf_one_sided');
    const sides = (id: number) => {
      const evidence = found.find(({ subject }) => subject.id === id)?.evidence;
      return [evidence?.['has_producer'], evidence?.['has_reader']];
    };
    assert.deepEqual(
      [sides(unread), sides(unwritten), sides(user)],
      [
        [true, false],
        [false, true],
        [true, false],
      ],
    );
  });
  using reader = await hold(`get:${path}/unread`);
  await at.untilFound('ringbuf_one_sided', [reader.objects[0]?.id ?? 0], []);
});

test('ringbuf_one_sided: what is being set up is left in peace', async () => {
  await using at = await findingAgent({ settleMs: 3_600_000 });
  using holder = await hold('map:ringbuf:0:0:4096:pf_unwritten:0');
  await at.untilFound('ringbuf_one_sided', idsOf(holder.objects), []);
});

test('map_near_full: nine of ten and ten; not eight, not a map that evicts, not an array', async () => {
  await using at = await findingAgent();
  const { path } = at.bpffs;
  const recipes = [
    { type: 'hash', put: 9 },
    { type: 'hash', put: 10 },
    { type: 'hash', put: 8 },
    { type: 'lru_hash', put: 10 },
    { type: 'array', put: 10 },
  ] as const;
  const ids = recipes.map(({ type, put }, index) => {
    const pin = `${path}/m${index}`;
    const { id } = createMap(pin, { type, entries: 10, name: 'pf_full' });
    for (let key = 0; key < put; key++) updateEntry(pin, word(key, 4), word(1, 8));
    return id;
  });
  const [near = 0, full = 0] = ids;
  const found = (await at.find('map_near_full')).filter(({ subject: { id = 0 } }) => ids.includes(id));
  const told = at.observed.store.events.list({ kind: 'map', types: ['map.near_full'], limit: 1000 });
  assert.deepEqual(
    told.flatMap(({ subject: { id = 0 } }) => (ids.includes(id) ? [id] : [])).sort(),
    found.map(({ subject }) => subject.id).sort(),
    'each is an event, too',
  );
  assert.deepEqual(
    new Map(found.map(({ subject, severity }) => [subject.id, severity])),
    new Map([
      [near, 'warning'],
      [full, 'critical'],
    ]),
  );
});

test('program_duplicated: more copies than allowed; not as many, not other names or groups', async () => {
  await using at = await findingAgent({ programCopiesMax: 3 });
  const copies = (count: number, program: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => program(index));
  using groups = makeCgroups(6);
  using holder = await hold(
    ...copies(4, () => 'prog:xdp:pf_many'),
    ...copies(3, () => 'prog:xdp:pf_few'),
    ...copies(5, (index) => `prog:xdp:pf_name${index}`),
    ...copies(groups.paths.length, () => 'prog:cgroup_skb:pf_grouped'),
  );
  const ids = idsOf(holder.objects);
  await untilPasses(async () => {
    const all = await at.find('program_duplicated');
    const found = all.filter(({ subject: { id = 0 } }) => ids.includes(id));
    assert.deepEqual(
      found.map(({ evidence }) => [evidence['copies'], evidence['ids']]),
      [[4, ids.slice(0, 4)]],
    );
  });
});

test('map_not_frozen: open constants; not frozen ones, not variables, not where one may change', async () => {
  await using at = await findingAgent();
  const directory = `${at.bpffs.path}/constants`;
  mkdirSync(directory);
  execFileSync(compileC('constants'), [directory]);
  const idOf = (name: string): number => pinnedMap(`${directory}/${name}`).id;
  const names = ['rodata_open', 'const_open', 'rodata_frozen', 'mixed_open', 'data_open'] as const;
  await at.untilFound('map_not_frozen', names.map(idOf), [idOf('rodata_open'), idOf('const_open')]);
  execFileSync('bpftool', ['map', 'freeze', 'pinned', `${directory}/rodata_open`]);
  await at.untilFound('map_not_frozen', names.map(idOf), [idOf('const_open')]);
});
