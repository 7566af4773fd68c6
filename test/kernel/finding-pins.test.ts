import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, rmdirSync } from 'node:fs';
import test from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { parsePath } from '../../src/model/path.ts';
import { mountBpffs, unmountAll } from '../support/bpffs.ts';
import { bpftool, createMap, pinnedMap } from '../support/bpftool.ts';
import { makeCgroups } from '../support/cgroups.ts';
import { hold } from '../support/hold.ts';
import { movedClock } from '../support/moved-clock.ts';
import { mountId, realClock } from '../support/observed.ts';
import { until, untilPasses } from '../support/until.ts';
import { asking } from './changes-fixture.ts';
import { type FindingAgent, findingAgent, idsOf } from './finding-fixture.ts';

const hour = 3_600_000;

test('orphan_pin: what only its pins hold; not what a process or a program holds, too', async () => {
  await using at = await findingAgent();
  const { path } = at.bpffs;
  const orphan = createMap(`${path}/orphan`, { name: 'pf_orphan' });
  const named = createMap(`${path}/named`, { name: 'pf_twonames' });
  linkSync(`${path}/named`, `${path}/again`);
  using gone = await hold('prog:xdp:pf_orphan', `pin:0:${path}/program`);
  const program = gone.objects[0]?.id ?? 0;
  await gone.release();
  using holder = await hold(
    'map:hash:4:8:4:pf_open:0',
    `pin:0:${path}/open`,
    'map:array:4:8:1:pf_used:0',
    `pin:1:${path}/used`,
    'prog:xdp:pf_user:1',
    'close:1',
  );
  const all = [orphan.id, named.id, program, ...idsOf(holder.objects)];
  await at.untilFound('orphan_pin', all, [orphan.id, named.id, program]);
  await untilPasses(async () => {
    const [finding] = (await at.find('orphan_pin')).filter(({ subject }) => subject.id === named.id);
    assert.equal(finding?.evidence['refcnt'], 1);
    assert.deepEqual(
      finding?.evidence['pins'],
      ['again', 'named'].map((name) => ({ mount: at.mount, path: name })),
    );
  });
  await holder.release();
  const used = pinnedMap(`${path}/used`).id;
  const later = await until(
    'the orphans that the holder left',
    () => at.idsOf('orphan_pin', [used]),
    (ids) => ids.length > 0,
  );
  assert.deepEqual(later, [used]);
});

test('orphan_pin: nothing younger than the configured age', async () => {
  await using at = await findingAgent({ minAgeMs: hour });
  const { id } = createMap(`${at.bpffs.path}/young`, { name: 'pf_young' });
  await at.untilFound('orphan_pin', [id], []);
});

test('orphan_pin: age counts from when nothing else held it, however old the pin', async () => {
  const clock = movedClock();
  await using at = await findingAgent({ minAgeMs: hour }, { clock });
  const path = `${at.bpffs.path}/used`;
  using maker = await hold('map:hash:4:8:4:pf_used:0', `pin:0:${path}`);
  const [id = 0] = idsOf(maker.objects);
  const since = () => at.observed.agent.reads.object('map', id).value.references.unheld_since;
  const unheld = () =>
    until(
      'nobody holds it',
      async () => {
        await at.find('orphan_pin');
        return since();
      },
      (time) => time !== undefined,
    );
  const passTime = (ms: number): void => {
    clock.setBy(ms);
    clock.sleep(ms);
  };
  await at.untilFound('orphan_pin', [id], []);
  assert.equal(since(), undefined);
  passTime(3 * hour);
  const released = clock.now().toISOString();
  await maker.release();
  assert.ok(((await unheld()) ?? '') >= released, 'it was held until then');
  await at.untilFound('orphan_pin', [id], []);
  passTime(hour);
  await at.untilFound('orphan_pin', [id], [id]);
  using again = await hold(`get:${path}`);
  await untilPasses(async () => {
    assert.deepEqual(await at.idsOf('orphan_pin', [id]), []);
    assert.equal(since(), undefined);
  });
  await again.release();
  await unheld();
  await at.untilFound('orphan_pin', [id], []);
});

test('orphan_circle: a table and a program that use each other; not where it runs, nor a line', async () => {
  const clock = movedClock();
  await using at = await findingAgent({ minAgeMs: hour }, { clock });
  const { path } = at.bpffs;
  using groups = makeCgroups(1);
  using maker = await hold(
    'map:prog_array:4:4:4:pf_circle:0',
    `pin:0:${path}/circle`,
    'prog:xdp:pf_circle:0',
    'put:0:1:1',
    'map:prog_array:4:4:4:pf_line:0',
    `pin:2:${path}/line`,
    'prog:xdp:pf_line',
    'put:2:1:3',
    'map:prog_array:4:4:4:pf_runs:0',
    `pin:4:${path}/runs`,
    'prog:cgroup_skb:pf_runs:4',
    'put:4:1:5',
    `link:cgroup:5:${groups.paths[0]}`,
    `pin:6:${path}/link`,
  );
  const maps = idsOf(maker.objects).filter((_, index) => [0, 2, 4].includes(index));
  await maker.release();
  await at.untilFound('orphan_circle', maps, []);
  const anHourOn = (one: FindingAgent) => () => {
    clock.setBy(hour);
    clock.sleep(hour);
    return one.idsOf('orphan_circle', maps);
  };
  const isFound = (ids: readonly number[]): boolean => ids.length > 0;
  const found = await until('it has been a circle for an hour', anHourOn(at), isFound);
  assert.deepEqual(found, maps.slice(0, 1));
  // Who opens it in passing makes it begin anew.
  await untilPasses(async () => {
    clock.setBy(hour);
    clock.sleep(hour);
    const [finding] = (await at.find('orphan_circle')).filter(({ subject }) => subject.id === maps[0]);
    assert.deepEqual(finding?.evidence['pins'], [{ mount: at.mount, path: 'circle' }]);
    assert.match(finding.summary, /"pf_circle" and 1 other object hold each other, and nothing but 1 pin/);
  });
  const told = (one: FindingAgent) =>
    one.observed
      .eventsOf(one.mount)
      .filter(({ after, before }) => (after ?? before)?.['rule'] === 'orphan_circle')
      .map(({ type, subject }) => [type, subject.id]);
  let last = at;
  try {
    // After a restart it is as old as before, and not told again; unless somebody opens it just then.
    await untilPasses(async () => {
      await until('it has been a circle for an hour', anHourOn(last), isFound);
      const before = told(last);
      await last.observed.stop();
      last = await findingAgent({ minAgeMs: hour }, { clock }, at);
      assert.deepEqual(await last.idsOf('orphan_circle', maps), found);
      assert.deepEqual(told(last), before);
    });
  } finally {
    await last[Symbol.asyncDispose]();
  }
});

test('orphan_circle: a program and a map of maps around a device map that runs it', async () => {
  await using at = await findingAgent();
  const { path } = at.bpffs;
  using maker = await hold(
    'map:devmap:4:8:4:pf_inner:0',
    'map:array_of_maps:4:4:4:pf_outer:0:0',
    `pin:1:${path}/outer`,
    'prog-at:xdp:33:pf_ring',
    'bind:2:1',
    'put-pair:0:1:1:2',
  );
  const [inner = 0, outer = 0, program = 0] = idsOf(maker.objects);
  // All but one step of it: the slot that closes it.
  using reader = await hold(`get:${path}/outer`, `id:map:${inner}`);
  await maker.release();
  await at.untilFound('orphan_circle', [inner, outer, program], []);
  await reader.tell('put:0:1:1');
  try {
    await at.untilFound('orphan_circle', [inner, outer, program], []);
    await reader.release();
    await at.untilFound('orphan_circle', [inner, outer, program], [outer]);
    await untilPasses(async () => {
      const [finding] = (await at.find('orphan_circle')).filter(({ subject }) => subject.id === outer);
      const maps = [inner, outer].map((id) => ({ kind: 'map', id }));
      assert.deepEqual(finding?.evidence['objects'], [...maps, { kind: 'program', id: program }]);
    });
  } finally {
    // Nothing else ever ends it: no name is needed by who hold each other.
    bpftool('map', 'delete', 'pinned', `${path}/outer`, 'key', '1', '0', '0', '0');
  }
});

test('link_single_pin: one pin alone; not with a second pin, nor open in a process', async () => {
  await using at = await findingAgent();
  const { path } = at.bpffs;
  using groups = makeCgroups(3);
  using holder = await hold(
    'prog:cgroup_skb:pf_egress',
    ...groups.paths.map((group) => `link:cgroup:0:${group}`),
    ...[1, 2, 3].map((link) => `pin:${link}:${path}/link${link}`),
    `pin:2:${path}/second`,
    'close:1',
    'close:2',
  );
  const links = idsOf(holder.objects).slice(1);
  const [alone = 0, ...others] = links;
  await at.untilFound('link_single_pin', links, [alone]);
  await holder.release();
  const [twice = 0, open = 0] = others;
  await until(
    'the link whose process ended',
    () => at.idsOf('link_single_pin', links),
    (ids) => ids.includes(open) && !ids.includes(twice),
  );
});

test('dead_link: its control group went, found also when nobody asks; not an empty group', async () => {
  let ahead = 0;
  const clock = { ...realClock, monotonicMs: () => performance.now() + ahead };
  await using at = await findingAgent({}, { clock });
  const { path } = at.bpffs;
  using groups = makeCgroups(2);
  const [doomed = '', lasting = ''] = groups.paths;
  using holder = await hold(
    'prog:cgroup_skb:pf_egress',
    `link:cgroup:0:${doomed}`,
    `pin:1:${path}/doomed`,
    `link:cgroup:0:${lasting}`,
    `pin:2:${path}/lasting`,
  );
  const [, dead = 0, alive = 0] = idsOf(holder.objects);
  await at.untilFound('dead_link', [dead, alive], []);
  rmdirSync(doomed);
  // Nobody asks: rules are tried when the time between two trials is over, and so it is now.
  ahead = limits.findingsIntervalMaxMs;
  const opened = await until(
    'the end of the link in history',
    () => at.observed.eventsOf(at.mount).filter(({ type }) => type === 'finding.opened'),
    (events) => events.some(({ after }) => after?.['rule'] === 'dead_link'),
    { timeoutMs: 120_000, everyMs: 200 },
  );
  assert.equal(opened.find(({ after }) => after?.['rule'] === 'dead_link')?.subject.id, dead);
  const told = at.observed.store.events.list({ kind: 'link', types: ['link.dead'], limit: 1000 });
  assert.equal(told.filter(({ subject }) => subject.id === dead).length, 1, 'link.dead is told once');
  await at.untilFound('dead_link', [dead, alive], [dead]);
  const listed = at.observed.agent.reads.objects({ kind: 'link', finding: 'dead_link' }, firstPage).value;
  assert.ok(listed.items.some(({ id }) => id === dead) && listed.items.every(({ id }) => id !== alive));
});

test('bpffs_writable: the mode mount(8) gives; not 0700, not what only a group may write', async () => {
  await using at = await findingAgent();
  using open = mountBpffs();
  using group = mountBpffs('mode=0770');
  const mounts = [open, group].map(({ dev }) => mountId(dev));
  const found = (await at.find('bpffs_writable')).map(({ subject }) => subject.mount);
  assert.deepEqual(
    [...mounts, at.mount].filter((mount) => found.includes(mount)),
    [mountId(open.dev)],
  );
});

test('bpffs_shadowed: what another mount hides everywhere; not what is also mounted elsewhere', async () => {
  await using at = await findingAgent();
  using hidden = mountBpffs('mode=0700');
  using twice = mountBpffs('mode=0700');
  using other = mountBpffs('mode=0700');
  const [hiddenId, twiceId] = [hidden, twice].map(({ dev }) => mountId(dev));
  mkdirSync(`${other.path}/bind`);
  execFileSync('mount', ['--bind', twice.path, `${other.path}/bind`]);
  for (const { path } of [hidden, twice]) execFileSync('mount', ['-t', 'tmpfs', 'pf-over', path]);
  try {
    const found = (await at.find('bpffs_shadowed')).map(({ subject }) => subject.mount);
    assert.deepEqual([found.includes(hiddenId), found.includes(twiceId)], [true, false]);
    execFileSync('umount', [hidden.path]);
    const after = (await at.find('bpffs_shadowed')).map(({ subject }) => subject.mount);
    assert.equal(after.includes(hiddenId), false);
  } finally {
    unmountAll(`${other.path}/bind`);
  }
});

test('memory_budget: a directory above it; each map once, and no neighbour of a like name', async () => {
  const bytes = 100_000;
  const [team, tea] = ['team', 'tea'].map((prefix) => ({ of: { prefix: parsePath(prefix) }, bytes }));
  const owner = { of: { owner: 'net' }, bytes };
  assert.ok(team !== undefined && tea !== undefined);
  await using at = await findingAgent({ memoryBudgets: [team, tea, owner] });
  const { path } = at.bpffs;
  for (const name of ['team', 'teams', 'tea']) mkdirSync(`${path}/${name}`);
  // 60 KiB and a little each, so that two are above the budget and one is not.
  const big = { type: 'array', value: 1024, entries: 60, name: 'pf_big' } as const;
  createMap(`${path}/team/one`, big);
  linkSync(`${path}/team/one`, `${path}/team/same`);
  createMap(`${path}/teams/two`, big);
  createMap(`${path}/tea/three`, big);
  const prefixes = async () => (await at.find('memory_budget')).map(({ subject }) => subject);
  assert.deepEqual(await prefixes(), []);
  createMap(`${path}/team/four`, big);
  const [finding, ...others] = await at.find('memory_budget');
  assert.deepEqual([finding?.subject, others], [{ prefix: 'team' }, []]);
  assert.equal(finding?.evidence['maps'], 2);
  // One of an owner is below the budget, two are above it, wherever their pins are.
  const own = async (name: string): Promise<void> => {
    await at.observed.agent.changes.patch(parsePath(name), undefined, { owner: 'net' }, asking());
  };
  await own('teams/two');
  assert.deepEqual(await prefixes(), [{ prefix: 'team' }]);
  await own('tea/three');
  assert.deepEqual(await prefixes(), [{ prefix: 'team' }, { owner: 'net' }]);
});

const firstPage = { after: undefined, limit: 500 };
