import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import test from 'node:test';
import type { WhyDocument } from '../../src/model/schema/holder.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { forFile } from '../support/disposal.ts';
import { type HeldInOneWay, holdInWay, makeCgroup } from '../support/hold-ways.ts';
import { startAgent } from '../support/observed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

const bpffs = forFile(mountBpffs());
const place = forFile(tempDir('holder-ways'));
const container = 'c0ffee'.padEnd(64, '5');
const pod = '8d0c2c2e-9a8e-4c7f-b1a0-5f0a7d3c9e11';

type Node = WhyDocument['nodes'][number];

/** One way of holding, and the holders that must be named: all of them, and nothing else. */
interface Expectation {
  readonly way: string;
  readonly holders: (held: HeldInOneWay) => readonly string[];
  /** What the first sentence must say. */
  readonly says: (held: HeldInOneWay) => RegExp;
  /** A cgroup below the root of the hierarchy, for ways that need one. */
  readonly cgroup?: string;
  /** What else must be so. */
  readonly also?: (why: WhyDocument, held: HeldInOneWay) => void;
}

const ofFd = ({ pid, facts }: HeldInOneWay) => new RegExp(`fd ${facts['fd']} of pid ${pid} \`hold-ways\``);
const other = ({ others }: HeldInOneWay, index = 0) => `${others[index]?.kind} ${others[index]?.id}`;
const throughOther = (held: HeldInOneWay) => new RegExp(`because .*${other(held)}\\b`);
const inNetns = (words: string) => (held: HeldInOneWay) =>
  new RegExp(`${words}.* in netns ${statSync(`/proc/${held.pid}/ns/net`).ino}`);

const ways: readonly Expectation[] = [
  {
    way: 'pin',
    holders: () => ['pin pin'],
    says: () => /because pin pin holds it; if you unpin pin, .*is freed/,
  },
  { way: 'hard_link', holders: () => ['pin hard-a=hard-b'], says: () => /nothing is lost/ },
  {
    way: 'two_pins',
    holders: () => ['pin first', 'pin second'],
    says: () => /2 pins \((first and second|second and first)\) hold it; if you unpin .* nothing is lost/,
  },
  { way: 'pinned_link', holders: () => ['pin pinned-link'], says: () => /is detached/ },
  { way: 'fd', holders: ({ pid }) => [`file of ${pid}`], says: ofFd },
  { way: 'dup', holders: ({ pid }) => [`file of ${pid},${pid}`], says: () => /fds \d+ and \d+ of pid/ },
  {
    way: 'fork',
    holders: ({ pid, facts }) => [`file of ${[pid, facts['child']].toSorted().join()}`],
    says: ({ facts }) => new RegExp(`of pid ${facts['child']} `),
  },
  {
    way: 'two_processes',
    holders: ({ pid, facts }) => [`file of ${pid}`, `file of ${facts['child']}`].toSorted(),
    says: ({ facts }) => new RegExp(`of pid ${facts['child']} `),
  },
  {
    way: 'scm_rights',
    holders: ({ facts }) => [`file of ${facts['child']}`],
    says: ({ facts }) => new RegExp(`of pid ${facts['child']} `),
  },
  {
    way: 'mmap',
    holders: ({ pid }) => [`mapping of ${pid}`],
    says: () => /a mapping in pid \d+ `hold-ways`/,
  },
  { way: 'unlinked_pin', holders: ({ pid }) => [`unlinked of ${pid}`], says: ofFd },
  { way: 'link_fd', holders: ({ pid }) => [`file of ${pid}`], says: () => /^link \d+ .* fd \d+ of pid/ },
  {
    way: 'in_cgroup',
    cgroup: `/pf-docker/docker-${container}.scope`,
    holders: ({ pid }) => [`file of ${pid}`],
    says: () => /`hold-ways` \(container c0ffee555555\)/,
    also: (why, { pid }) => assert.equal(processOf(why, pid)?.container, container),
  },
  {
    way: 'in_cgroup',
    cgroup: `/pf-kubepods/kubepods/burstable/pod${pod}/${container}`,
    holders: ({ pid }) => [`file of ${pid}`],
    says: () => new RegExp(`container c0ffee555555, pod ${pod}`),
    also: (why, { pid }) => assert.equal(processOf(why, pid)?.pod, pod),
  },
  {
    way: 'in_cgroup',
    cgroup: '/pf-system.slice/bird.service',
    holders: ({ pid }) => [`file of ${pid}`],
    says: () => /`hold-ways` \(bird\.service\)/,
    also: (why, { pid }) => assert.equal(processOf(why, pid)?.unit, 'bird.service'),
  },
  { way: 'used_map', holders: (held) => [`${other(held)} uses`], says: throughOther },
  { way: 'bound_map', holders: (held) => [`${other(held)} uses`], says: throughOther },
  { way: 'prog_array_slot', holders: (held) => [`${other(held)} slot 1`], says: () => /slot 1 of map \d+/ },
  { way: 'array_of_maps_slot', holders: (held) => [`${other(held)} slot 1`], says: () => /slot 1 of map/ },
  { way: 'hash_of_maps_slot', holders: (held) => [`${other(held)} slot 1`], says: () => /slot 1 of map/ },
  { way: 'devmap_slot', holders: (held) => [`${other(held)} slot 1`], says: () => /slot 1 of map/ },
  { way: 'cpumap_slot', holders: (held) => [`${other(held)} slot 1`], says: () => /slot 1 of map/ },
  { way: 'raw_tracepoint_link', holders: (held) => [`${other(held)} runs`], says: throughOther },
  {
    way: 'cgroup_link',
    cgroup: '/pf-linked',
    holders: (held) => [`${other(held)} runs`],
    says: () => /attached: cgroup_inet_egress of cgroup \/pf-linked/,
  },
  { way: 'xdp_link', holders: (held) => [`${other(held)} runs`], says: inNetns('attached: xdp.* of lo') },
  {
    way: 'tcx_link',
    holders: (held) => [`${other(held)} runs`],
    says: inNetns('attached: tcx ingress of lo'),
  },
  { way: 'netns_link', holders: (held) => [`${other(held)} runs`], says: inNetns('attached: netns .*') },
  { way: 'netfilter_link', holders: (held) => [`${other(held)} runs`], says: throughOther },
  { way: 'sockmap_link', holders: (held) => [`${other(held)} target`], says: throughOther },
  {
    way: 'element_iterator',
    holders: (held) => [`${other(held)} target`],
    says: () => /held by pin iterator/,
  },
  { way: 'open_iterator', holders: ({ pid }) => [`iterator of ${pid}`], says: () => /\(an iterator\)/ },
  {
    way: 'cgroup_attach',
    cgroup: '/pf-attached',
    holders: () => ['cgroup'],
    says: () => /because cgroup_inet_egress of cgroup \/pf-attached holds it/,
  },
  { way: 'xdp_attach', holders: () => ['xdp'], says: inNetns('because xdp.* of lo') },
  { way: 'tc_filter', holders: () => ['tc'], says: inNetns('because tc ingress of lo') },
  { way: 'tcx_attach', holders: () => ['tcx'], says: inNetns('because tcx egress of lo') },
  { way: 'flow_dissector', holders: () => ['netns'], says: inNetns('because netns flow_dissector') },
  { way: 'sockmap_attach', holders: () => ['sockmap'], says: (held) => new RegExp(`of ${other(held)}`) },
  { way: 'perf_event', holders: () => ['perf_event'], says: () => /because perf_event .*holds it/ },
  { way: 'socket_filter', holders: () => ['socket'], says: () => /because socket .*holds it/ },
  {
    way: 'private_bpffs',
    holders: () => ['pin private'],
    says: () => /pin private in bpffs \d+:\d+ at .* holds it/,
  },
  {
    way: 'lazily_unmounted_bpffs',
    holders: () => ['pin private'],
    says: ({ pid }) => new RegExp(`mounted nowhere, kept by fd \\d+ of pid ${pid} `),
  },
  {
    way: 'working_directory',
    holders: () => ['pin private'],
    says: ({ pid }) => new RegExp(`mounted nowhere, kept by the working directory of pid ${pid} `),
  },
  ...['namespace_fd', 'namespace_thread'].map((way) => ({
    way,
    holders: () => ['pin private'],
    says: () => /pin private in bpffs \d+:\d+ at .* in mount namespace \d+, which no process shows holds it/,
  })),
  {
    way: 'detached_bpffs',
    holders: () => ['pin detached'],
    says: ({ pid }) => new RegExp(`mounted nowhere, kept by fd \\d+ of pid ${pid} `),
  },
];

test('every way of holding is found: its holders, all of them, and nothing unexplained', async (t) => {
  await using started = await startAgent(bpffs.path, tempDirFor(t));
  const refused: string[] = [];
  for (const expected of ways) {
    await t.test(
      `${expected.way}${expected.cgroup === undefined ? '' : ` in ${expected.cgroup.slice(0, 24)}`}`,
      async (each) => {
        using cgroup = expected.cgroup === undefined ? undefined : makeCgroup(expected.cgroup);
        const held = await holdInWay(expected.way, {
          bpffs: bpffs.path,
          directory: cgroup?.path ?? place.path,
        });
        if (typeof held === 'string') {
          refused.push(expected.way);
          return each.diagnostic(`this kernel refuses it: ${held}`);
        }
        try {
          await untilPasses(() =>
            check(started.agent.holders.why(held.subject.kind, held.subject.id), expected, held),
          );
          for (const { kind, id } of held.others) {
            await untilPasses(() => assertExplained(started.agent.holders.holders(kind, id)));
          }
        } finally {
          held[Symbol.dispose]();
          await cgroup?.removed();
        }
      },
    );
  }
  assert.ok(ways.length - refused.length >= 20, `refused: ${refused.join(', ')}`);
});

function check(why: WhyDocument, expected: Expectation, held: HeldInOneWay): void {
  const key = `${held.subject.kind}:${held.subject.id}`;
  const found = why.edges.filter((edge) => edge.held === key).map((edge) => describe(why, edge));
  assert.deepEqual(found.toSorted(), expected.holders(held).toSorted());
  assert.match(why.sentences[0] ?? '', expected.says(held));
  assertExplained(why);
  expected.also?.(why, held);
}

/** Programs have no such number. */
function assertExplained({
  object,
  references,
  unexplained,
}: Omit<WhyDocument, 'sentences' | 'if_unpinned'>): void {
  if (object.kind === 'program') assert.equal(references.unexplained, undefined);
  else assert.deepEqual(unexplained, { users: 0, kernel: 0 }, `${object.kind} ${object.id}`);
}

/** A direct holder in a few words. */
function describe({ nodes, edges }: WhyDocument, edge: WhyDocument['edges'][number]): string {
  const node = nodes.find(({ key }) => key === edge.holder);
  switch (node?.node) {
    case 'pin':
      return `pin ${node.names
        .map(({ path }) => path.slice(path.lastIndexOf('/') + 1))
        .toSorted()
        .join('=')}`;
    case 'object':
      return `${node.kind} ${node.id} ${edge.hold}${edge.slot === undefined ? '' : ` ${edge.slot}`}`;
    case 'file': {
      const processes = edges.filter(({ held }) => held === node.key).map(({ holder }) => holder);
      for (const { pid } of node.descriptors) assert.ok(processes.includes(`process:${pid}`));
      if (node.descriptors.length === 0) return `mapping of ${node.mapped_by.join()}`;
      const pids = node.descriptors.map(({ pid }) => pid).toSorted();
      return `${node.through === 'iterator' ? 'iterator' : 'file'} of ${pids.join()}`;
    }
    case 'open_inode':
      return `unlinked of ${node.descriptors.map(({ pid }) => pid).join()}`;
    case 'attachment':
      return node.kind;
    default:
      return `no holder: ${node?.node}`;
  }
}

function processOf({ nodes }: WhyDocument, pid: number): Extract<Node, { node: 'process' }> | undefined {
  return nodes.flatMap((node) => (node.node === 'process' && node.pid === pid ? node : []))[0];
}

function tempDirFor(t: { after(release: () => void): void }): string {
  const dir = tempDir('holder-state');
  t.after(() => dir[Symbol.dispose]());
  return dir.path;
}

const hidden: readonly Hidden[] = [
  { way: 'in_flight', expected: { users: 1, kernel: 0 }, pins: 0 },
  { way: 'in_flight_link', expected: { users: 0, kernel: 1 }, pins: 0 },
  { way: 'in_flight_twice', expected: { users: 2, kernel: 0 }, pins: 1 },
  { way: 'io_uring_file', expected: { users: 1, kernel: 0 }, pins: 0 },
  {
    way: 'shadowed_bpffs',
    expected: { users: 1, kernel: 0 },
    pins: 0,
    says: /Not seen: pins of bpffs \d+:\d+, because another mount lies over it\./,
  },
];

interface Hidden {
  readonly way: string;
  readonly expected: object;
  readonly pins: number;
  readonly says?: RegExp;
}

test('holders that nobody can enumerate show as exactly so many unexplained references', async (t) => {
  await using started = await startAgent(bpffs.path, tempDirFor(t));
  for (const { way, expected, pins, says = /^/ } of hidden) {
    await t.test(way, async () => {
      const held = await holdInWay(way, { bpffs: bpffs.path, directory: place.path });
      assert.ok(typeof held !== 'string', `this kernel refuses it: ${String(held)}`);
      using _ = held;
      await untilPasses(() => {
        const why = started.agent.holders.why(held.subject.kind, held.subject.id);
        assert.deepEqual(why.unexplained, expected);
        assert.equal(why.references.pins, pins);
        assert.match(
          why.sentences.join('\n'),
          /The kernel counts \d references? (from user space that nobody|of a kind)/,
        );
        assert.match(why.sentences.join('\n'), says);
        for (const consequence of why.if_unpinned) assert.deepEqual(consequence.freed, []);
      });
    });
  }
});

test('of a program that only a route or a rule runs, it is said that nobody tells of such', async (t) => {
  await using started = await startAgent(bpffs.path, tempDirFor(t));
  for (const way of ['xt_bpf', 'lwt_bpf', 'seg6local']) {
    await t.test(way, async (each) => {
      const held = await holdInWay(way, { bpffs: bpffs.path, directory: place.path });
      if (typeof held === 'string') return each.diagnostic(`this machine refuses it: ${held}`);
      using _ = held;
      await untilPasses(() => {
        const [first = '', second] = started.agent.holders.why('program', held.subject.id).sentences;
        assert.match(first, /^Nothing that can be seen holds program .*; the kernel counts 1 reference\.$/);
        assert.equal(
          second,
          'It may run where the kernel tells nobody of it: on a route (lwt_bpf, seg6local), in a rule of ' +
            'iptables (xt_bpf), on a TUN device, or for a socket that no process has open.',
        );
      });
    });
  }
});
