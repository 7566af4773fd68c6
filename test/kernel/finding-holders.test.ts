import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { HolderFacts, HolderRequest } from '../../src/model/holder/facts.ts';
import { makeCgroups } from '../support/cgroups.ts';
import { hold } from '../support/hold.ts';
import { holdInWay } from '../support/hold-ways.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';
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
  await at.untilFound('hidden_holder', idsOf(holder.objects), []);
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
  await at.untilFound('single_process', maps, [alone, through]);
  await untilPasses(async () => {
    const [finding] = (await at.find('single_process')).filter(({ subject }) => subject.id === alone);
    assert.equal(finding?.evidence['pid'], one.pid);
  });
  await other.release();
  await until(
    'the map that was shared',
    () => at.idsOf('single_process', maps),
    (ids) => ids.includes(shared),
  );
});

/** What systemd keeps: programs on cgroups with maps that count, and restrict-fs with its link. */
async function holdAsSystemd(groups: readonly string[]) {
  const each = 5;
  const init = await hold(
    ...groups.flatMap((_, index) => [
      'prog:cgroup_device:sd_devices',
      `map:array:4:8:2:sd_acct_in:0`,
      `map:array:4:8:2:sd_acct_out:0`,
      `prog:cgroup_skb:sd_fw_ingress:${each * index + 1}`,
      `prog:cgroup_skb:sd_fw_egress:${each * index + 2}`,
    ]),
    'map:hash:4:4:16:cgroup_hash_in:0',
    `map:hash_of_maps:8:4:2048:cgroup_hash:0:${each * groups.length}`,
    `prog:raw_tracepoint:restrict_filesy:${each * groups.length + 1}`,
    `link:raw_tp:${each * groups.length + 2}:task_rename`,
  );
  const kinds = ['program', 'map', 'map', 'program', 'program'] as const;
  const last = ['map', 'map', 'program', 'link'] as const;
  const ids = idsOf(init.objects);
  const keys = ids.map((id, index) => {
    const kind = index < each * groups.length ? kinds[index % each] : last[index - each * groups.length];
    return `${kind}:${id}`;
  });
  for (const [index, path] of groups.entries()) {
    for (const [offset, type] of [
      [0, 'device'],
      [3, 'ingress'],
      [4, 'egress'],
    ] as const) {
      const id = String(ids[each * index + offset]);
      execFileSync('bpftool', ['cgroup', 'attach', path, type, 'id', id, 'multi']);
      await init.tell(`close:${each * index + offset}`);
    }
  }
  return { init, keys: new Set(keys) };
}

/** What the kernel tells, of a process as if it were the first of the machine. */
function asFirst(facts: HolderFacts, pid: number): HolderFacts {
  const files = facts.files.map(({ descriptors, ...file }) => ({
    ...file,
    descriptors: descriptors.map((one) => (one.pid === pid ? { ...one, pid: 1 } : one)),
  }));
  const held = facts.processes.get(pid);
  const processes = new Map(facts.processes);
  if (held !== undefined) processes.set(1, { ...held, pid: 1 });
  return { ...facts, files, processes };
}

test('what systemd loads on a fresh machine is no finding, however long it stays', async () => {
  using groups = makeCgroups(20);
  const { init, keys } = await holdAsSystemd(groups.paths);
  using _ = init;
  const kernel = openKernel();
  const holders = { read: (request: HolderRequest) => asFirst(kernel.holders.read(request), init.pid) };
  // Nothing is too young or still being set up.
  await using at = await findingAgent({}, { kernel: { ...kernel, holders } });
  // Others on the machine keep places for a moment that nobody can look into.
  await untilPasses(async () => {
    await at.find('orphan_pin');
    const rules = at.observed.agent.findings.rules();
    assert.deepEqual(
      rules.flatMap(({ rule, unavailable }) => (unavailable === undefined ? [] : `${rule}: ${unavailable}`)),
      [],
    );
  });
  const found = at.observed.agent.findings.list();
  assert.deepEqual(
    found.filter(({ subject: { kind, id } }) => keys.has(`${kind}:${id}`)),
    [],
  );
  // The same objects of any other process are found, so that they were looked at.
  await using other = await findingAgent();
  const alone = await other.find('single_process');
  const ours = alone.filter(({ subject: { kind, id } }) => keys.has(`${kind}:${id}`));
  assert.deepEqual(new Set(ours.map(({ evidence }) => evidence['pid'])), new Set([init.pid]));
  assert.ok(ours.some(({ subject }) => subject.kind === 'link'));
});

test('a finding has the time when it is told: others have written since rules were tried', async () => {
  const kernel = openKernel();
  const readings: { readonly seq: number; readonly at: number }[] = [];
  const lastSeq = (): number => at.observed.store.events.lastSeq();
  const read = (request: HolderRequest): HolderFacts => {
    const facts = kernel.holders.read(request);
    const reading = { seq: lastSeq(), at: Date.now() };
    while (Date.now() === reading.at);
    readings.push(reading);
    return facts;
  };
  const release = (): void => kernel[Symbol.dispose]();
  const patient = { ...kernel, holders: { read }, [Symbol.dispose]: release };
  await using at = await findingAgent({}, { kernel: patient });
  using holder = await hold('map:hash:4:8:4:pf_told:0');
  const [id = 0] = idsOf(holder.objects);
  const told = () =>
    at.observed.store.events
      .list({ limit: 100_000 })
      .find(({ type, subject }) => type === 'finding.opened' && subject.id === id);
  await until('the finding', () => at.idsOf('single_process', [id]).then(told), Boolean, {
    timeoutMs: 120_000,
  });
  const { seq, time } = told() ?? assert.fail();
  const before = readings.findLast((reading) => reading.seq < seq) ?? assert.fail();
  assert.ok(Date.parse(time) > before.at);
});
