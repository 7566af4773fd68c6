import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, unlinkSync } from 'node:fs';
import test from 'node:test';
import { parsePath } from '../../src/model/path.ts';
import type { EventDocument } from '../../src/model/schema/event.ts';
import type { RuleId } from '../../src/model/schema/finding.ts';
import { mountBpffs, unmountAll } from '../support/bpffs.ts';
import { createMap, pinnedMap, updateEntry } from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { makeCgroups } from '../support/cgroups.ts';
import { hold, holdAs } from '../support/hold.ts';
import { type HeldInOneWay, holdInWay } from '../support/hold-ways.ts';
import { openNamespaces } from '../support/mount-ns.ts';
import { movedClock } from '../support/moved-clock.ts';
import { mountId } from '../support/observed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';
import { type FindingAgent, findingAgent, idsOf, pinnedCircle } from './finding-fixture.ts';

/** What is nearly a finding, and is none; and the one step that makes it one. */
interface NearMiss {
  readonly almost: string;
  run(): Promise<void>;
}

const minute = 60_000;

/** Waits until a rule finds exactly these among some: what was let go takes its time in the kernel. */
async function finds(
  at: FindingAgent,
  rule: RuleId,
  { among, found }: { readonly among: readonly number[]; readonly found: readonly number[] },
): Promise<void> {
  await untilPasses(async () => assert.deepEqual(await at.idsOf(rule, among), found));
}

async function inWay(way: string, at: FindingAgent, directory: string): Promise<HeldInOneWay> {
  const held = await holdInWay(way, { bpffs: at.bpffs.path, directory });
  assert.ok(typeof held !== 'string', `this kernel refuses ${way}`);
  return held;
}

function word(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUInt32LE(value);
  return buffer;
}

/** One for every rule, or this does not compile. */
const nearMisses: Readonly<Record<RuleId, NearMiss>> = {
  orphan_pin: {
    almost: 'what its pins alone have held for a minute less than the age, however the clock is set',
    run: async () => {
      const clock = movedClock();
      await using at = await findingAgent({ minAgeMs: 60 * minute }, { clock });
      const { id } = createMap(`${at.bpffs.path}/orphan`, { name: 'pf_orphan' });
      await finds(at, 'orphan_pin', { among: [id], found: [] });
      clock.setBy(90 * minute);
      clock.sleep(59 * minute);
      await finds(at, 'orphan_pin', { among: [id], found: [] });
      clock.sleep(2 * minute);
      await finds(at, 'orphan_pin', { among: [id], found: [id] });
    },
  },
  orphan_circle: {
    almost: 'a tail-call table and a program in it that use each other, one of them open in a process',
    run: async () => {
      await using at = await findingAgent();
      const { path } = at.bpffs;
      using maker = await hold(...pinnedCircle(path));
      const among = idsOf(maker.objects);
      using reader = await hold(`get:${path}/program`);
      await maker.release();
      await finds(at, 'orphan_circle', { among, found: [] });
      await reader.release();
      await finds(at, 'orphan_circle', { among, found: among.slice(0, 1) });
    },
  },
  dead_link: {
    almost: 'links to a device that has another name now, and to a namespace that something still holds',
    run: async () => {
      await using at = await findingAgent();
      const { path } = at.bpffs;
      using spaces = await openNamespaces({ net: true });
      using outlives = await hold(`open:/proc/${spaces.pid}/ns/net`);
      spaces.run('ip', 'link', 'add', 'pf0', 'type', 'veth', 'peer', 'name', 'pf1');
      using holder = await holdAs(
        (command, args) => spaces.start(command, ...args),
        'prog:sched_cls:pf_clsact',
        'link:tcx:0:pf0',
        `pin:1:${path}/tcx`,
        'prog:xdp:pf_driver',
        'link:xdp:2:pf0',
        `pin:3:${path}/xdp`,
        'prog:sk_lookup:pf_lookup',
        'link:netns:4',
        `pin:5:${path}/netns`,
      );
      const [, tcx = 0, , xdp = 0, , netns = 0] = idsOf(holder.objects);
      await holder.release();
      const among = [tcx, xdp, netns];
      spaces.run('ip', 'link', 'set', 'pf0', 'name', 'pf9');
      await finds(at, 'dead_link', { among, found: [] });
      spaces.run('ip', 'link', 'del', 'pf9');
      await finds(at, 'dead_link', { among, found: [tcx, xdp] });
      spaces[Symbol.dispose]();
      await finds(at, 'dead_link', { among, found: [tcx, xdp] });
      await outlives.release();
      // Nobody asks: the agent itself sees that the namespace is gone, of which no event or counter tells.
      const opened = await until(
        'the end of the link in history',
        () => at.observed.eventsOf(at.mount).filter((event) => isDeath(event, netns)),
        (events) => events.length > 0,
        { timeoutMs: 120_000, everyMs: 200 },
      );
      assert.equal(opened[0]?.after?.['severity'], 'critical');
    },
  },
  hidden_holder: {
    almost: 'a descriptor that was sent and has been received',
    run: async () => {
      await using at = await findingAgent();
      using dir = tempDir('ways');
      using received = await inWay('scm_rights', at, dir.path);
      using flying = await inWay('in_flight', at, dir.path);
      const among = [received.subject.id, flying.subject.id];
      await finds(at, 'hidden_holder', { among, found: [flying.subject.id] });
    },
  },
  link_single_pin: {
    almost: 'a link with two pins, and one whose target has gone',
    run: async () => {
      await using at = await findingAgent();
      const { path } = at.bpffs;
      using groups = makeCgroups(1);
      const [group = ''] = groups.paths;
      using holder = await hold(
        'prog:cgroup_skb:pf_egress',
        `link:cgroup:0:${group}`,
        `pin:1:${path}/one`,
        `pin:1:${path}/two`,
      );
      const link = holder.objects[1]?.id ?? 0;
      await holder.release();
      await finds(at, 'link_single_pin', { among: [link], found: [] });
      unlinkSync(`${path}/two`);
      await finds(at, 'link_single_pin', { among: [link], found: [link] });
      rmdirSync(group);
      await finds(at, 'link_single_pin', { among: [link], found: [] });
    },
  },
  prog_array_single_user: {
    almost: 'a table that one pin and one process keep',
    run: async () => {
      await using at = await findingAgent();
      using holder = await hold(
        'map:prog_array:4:4:4:pf_calls:0',
        `pin:0:${at.bpffs.path}/calls`,
        'prog:xdp:pf_caller:0',
      );
      const [table = 0] = idsOf(holder.objects);
      await finds(at, 'prog_array_single_user', { among: [table], found: [] });
      await holder.tell('close:0');
      await finds(at, 'prog_array_single_user', { among: [table], found: [table] });
    },
  },
  program_outdated: {
    almost: 'a program of another type with that name that is attached',
    run: async () => {
      await using at = await findingAgent();
      using groups = makeCgroups(1);
      using holder = await hold(
        'map:array:4:8:1:pf_any:0',
        'prog:cgroup_skb:pf_release',
        `pin:1:${at.bpffs.path}/release`,
        'prog:raw_tracepoint:pf_release:0',
        'link:raw_tp:2:task_rename',
        'prog:cgroup_skb:pf_release:0',
      );
      const [, pinned = 0] = idsOf(holder.objects);
      await holder.tell('close:1');
      await finds(at, 'program_outdated', { among: [pinned], found: [] });
      await holder.tell(`link:cgroup:4:${groups.paths[0]}`);
      await finds(at, 'program_outdated', { among: [pinned], found: [pinned] });
    },
  },
  ringbuf_one_sided: {
    almost: 'a buffer whose reader has it mapped and not open',
    run: async () => {
      await using at = await findingAgent();
      const pin = `${at.bpffs.path}/ring`;
      using writer = await hold(
        'map:ringbuf:0:0:4096:pf_ring:0',
        `pin:0:${pin}`,
        'prog:xdp:pf_writer:0',
        'close:0',
      );
      using reader = await hold(`get:${pin}`, 'mmap:0', 'close:0');
      const [ring = 0] = idsOf(writer.objects);
      await finds(at, 'ringbuf_one_sided', { among: [ring], found: [] });
      await reader.release();
      await finds(at, 'ringbuf_one_sided', { among: [ring], found: [ring] });
    },
  },
  map_near_full: {
    almost: 'a map with one entry less than nine of ten',
    run: async () => {
      await using at = await findingAgent();
      const pin = `${at.bpffs.path}/filling`;
      const { id } = createMap(pin, { entries: 20, name: 'pf_filling' });
      for (let key = 0; key < 17; key++) updateEntry(pin, word(key, 4), word(1, 8));
      await finds(at, 'map_near_full', { among: [id], found: [] });
      updateEntry(pin, word(17, 4), word(1, 8));
      await finds(at, 'map_near_full', { among: [id], found: [id] });
    },
  },
  program_duplicated: {
    almost: 'as many copies as are allowed, and one more of another name',
    run: async () => {
      await using at = await findingAgent({ programCopiesMax: 3 });
      const copies = ['pf_copy', 'pf_copy', 'pf_copy', 'pf_other'].map((name) => `prog:xdp:${name}`);
      using holder = await hold(...copies);
      const among = idsOf(holder.objects);
      await finds(at, 'program_duplicated', { among, found: [] });
      await holder.tell('prog:xdp:pf_copy');
      await finds(at, 'program_duplicated', { among, found: among.slice(0, 1) });
    },
  },
  memory_budget: {
    almost: 'a map that takes its budget to the byte',
    run: async () => {
      using bpffs = mountBpffs('mode=0700');
      mkdirSync(`${bpffs.path}/exact-team`);
      const made = createMap(`${bpffs.path}/exact-team/map`, {
        type: 'array',
        entries: 60,
        name: 'pf_exact',
      });
      const memory = made.bytes_memlock ?? 0;
      assert.ok(memory > 0);
      for (const [bytes, found] of [
        [memory, 0],
        [memory - 1, 1],
      ] as const) {
        const budget = { of: { prefix: parsePath('exact-team') }, bytes };
        await using at = await findingAgent({ memoryBudgets: [budget] });
        assert.equal((await at.find('memory_budget')).length, found);
      }
    },
  },
  bpffs_writable: {
    almost: 'a bpffs of mode 1777 that is mounted read-only',
    run: async () => {
      await using at = await findingAgent();
      using open = mountBpffs();
      const isFound = async () =>
        (await at.find('bpffs_writable')).some(({ subject }) => subject.mount === mountId(open.dev));
      execFileSync('mount', ['-o', 'remount,ro', open.path]);
      assert.equal(await isFound(), false);
      execFileSync('mount', ['-o', 'remount,rw', open.path]);
      assert.equal(await isFound(), true);
    },
  },
  bpffs_shadowed: {
    almost: 'a mount over a directory of a bpffs',
    run: async () => {
      await using at = await findingAgent();
      using bpffs = mountBpffs('mode=0700');
      mkdirSync(`${bpffs.path}/below`);
      const isFound = async () =>
        (await at.find('bpffs_shadowed')).some(({ subject }) => subject.mount === mountId(bpffs.dev));
      execFileSync('mount', ['-t', 'tmpfs', 'pf-over', `${bpffs.path}/below`]);
      assert.equal(await isFound(), false);
      unmountAll(`${bpffs.path}/below`);
      execFileSync('mount', ['-t', 'tmpfs', 'pf-over', bpffs.path]);
      assert.equal(await isFound(), true);
    },
  },
  map_not_frozen: {
    almost: 'a section with one constant and one variable',
    run: async () => {
      await using at = await findingAgent();
      const directory = `${at.bpffs.path}/constants`;
      mkdirSync(directory);
      execFileSync(compileC('constants'), [directory]);
      const [mixed = 0, constant = 0] = ['mixed_open', 'const_open'].map(
        (name) => pinnedMap(`${directory}/${name}`).id,
      );
      await finds(at, 'map_not_frozen', { among: [mixed, constant], found: [constant] });
    },
  },
  single_process: {
    almost: 'a process and its child that share one descriptor',
    run: async () => {
      await using at = await findingAgent();
      using dir = tempDir('ways');
      using held = await inWay('fork', at, dir.path);
      const among = [held.subject.id];
      await finds(at, 'single_process', { among, found: [] });
      process.kill(held.facts['child'] ?? 0, 'SIGKILL');
      await finds(at, 'single_process', { among, found: among });
    },
  },
};

for (const [rule, { almost, run }] of Object.entries(nearMisses)) {
  test(`${rule}: not ${almost}; one step more is a finding`, run);
}

function isDeath({ type, subject, after }: EventDocument, link: number): boolean {
  return type === 'finding.opened' && subject.id === link && after?.['rule'] === 'dead_link';
}
