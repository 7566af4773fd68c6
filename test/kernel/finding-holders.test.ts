import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { usualThresholds } from '../../src/model/finding/thresholds.ts';
import { makeCgroups } from '../support/cgroups.ts';
import { hold } from '../support/hold.ts';
import { holdInWay } from '../support/hold-ways.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { findingAgent, idsOf } from './finding-fixture.ts';

test('hidden_holder: descriptors on their way or in a ring; not open files, nor nameless pins', async () => {
  await using at = await findingAgent();
  using dir = tempDir('ways');
  const places = { bpffs: at.bpffs.path, directory: dir.path };
  for (const way of ['in_flight', 'io_uring_file', 'in_flight_link'] as const) {
    const held = await holdInWay(way, places);
    assert.ok(typeof held !== 'string', `this kernel refuses ${way}: ${String(held)}`);
    using _ = held;
    await until(
      `the hidden holder, ${way}`,
      () => at.idsOf('hidden_holder', [held.subject.id]),
      (ids) => ids.length > 0,
    );
    held.child.end();
    await held.child.exit();
    await until(
      `the end of the hidden holder, ${way}`,
      () => at.idsOf('hidden_holder', [held.subject.id]),
      (ids) => ids.length === 0,
    );
  }
  using holder = await hold(
    'map:hash:4:8:4:pf_plain:0',
    'dup:0',
    'map:hash:4:8:4:pf_nameless:0',
    `pin:2:${places.bpffs}/nameless`,
    `opath:${places.bpffs}/nameless`,
    `unlink:${places.bpffs}/nameless`,
    'close:2',
  );
  assert.deepEqual(await at.idsOf('hidden_holder', idsOf(holder.objects)), []);
});

test('single_process: what ends with one process; not with two of them, nor with a pin', async () => {
  await using at = await findingAgent();
  using one = await hold(
    'map:hash:4:8:4:pf_alone:0',
    'map:hash:4:8:4:pf_shared:0',
    'map:hash:4:8:4:pf_pinned:0',
    `pin:2:${at.bpffs.path}/pinned`,
    // Through its program it would outlive its descriptor, but not the process.
    'map:array:4:8:1:pf_through:0',
    'prog:xdp:pf_through:3',
    'close:3',
  );
  const [alone = 0, shared = 0, pinned = 0, through = 0] = idsOf(one.objects);
  using other = await hold(`id:map:${shared}`);
  assert.equal(other.objects.length, 1);
  const maps = [alone, shared, pinned, through];
  assert.deepEqual(await at.idsOf('single_process', maps), [alone, through]);
  const [finding] = (await at.find('single_process')).filter(({ subject }) => subject.id === alone);
  assert.equal(finding?.evidence['pid'], one.pid);
  await other.release();
  await until(
    'the map that was shared',
    () => at.idsOf('single_process', maps),
    (ids) => ids.includes(shared),
  );
});

test('what systemd loads on a fresh machine is no finding', async () => {
  await using at = await findingAgent(usualThresholds);
  using groups = makeCgroups(20);
  using init = await hold(
    ...groups.paths.flatMap(() => [
      'prog:cgroup_device:sd_devices',
      'prog:cgroup_skb:sd_fw_egress',
      'prog:cgroup_skb:sd_fw_ingress',
    ]),
    // restrict-fs: a map of maps that pid 1 keeps, and a link of its program.
    'map:hash:4:4:16:cgroup_hash_in:0',
    'map:hash_of_maps:8:4:2048:cgroup_hash:0:60',
    'prog:raw_tracepoint:restrict_filesy:61',
    'link:raw_tp:62:task_rename',
  );
  const ids = idsOf(init.objects);
  const [map, outer, filter, link] = ids.slice(-4);
  for (const [index, path] of groups.paths.entries()) {
    for (const [offset, type] of ['device', 'egress', 'ingress'].entries()) {
      const id = String(ids[3 * index + offset]);
      execFileSync('bpftool', ['cgroup', 'attach', path, type, 'id', id, 'multi']);
    }
    for (const offset of [0, 1, 2]) await init.tell(`close:${3 * index + offset}`);
  }
  const own = new Set(ids.slice(0, -4).map((id) => `program:${id}`));
  for (const key of [`map:${map}`, `map:${outer}`, `program:${filter}`, `link:${link}`]) own.add(key);
  await at.find('orphan_pin');
  const found = at.observed.agent.findings.list();
  assert.deepEqual(
    found.filter(({ subject: { kind, id } }) => own.has(`${kind}:${id}`)),
    [],
  );
  assert.deepEqual(
    at.observed.agent.findings.rules().flatMap(({ rule, unavailable }) => (unavailable ? rule : [])),
    [],
  );
});
