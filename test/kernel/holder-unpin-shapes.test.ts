import assert from 'node:assert/strict';
import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { mountBpffs } from '../support/bpffs.ts';
import { makeCgroups } from '../support/cgroups.ts';
import { counterKey, counterSampler } from '../support/counters.ts';
import { forFile } from '../support/disposal.ts';
import { freeChain } from '../support/free-chain.ts';
import { type Holder, holdAs } from '../support/hold.ts';
import { type Namespaces, openNamespaces } from '../support/mount-ns.ts';
import { startAgent, type TestAgent } from '../support/observed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

const patience = { timeoutMs: 60_000 };
const bpffs = forFile(mountBpffs());
const state = forFile(tempDir('shapes'));
const sampler = forFile(counterSampler());
const groups = forFile(makeCgroups(2));

/** Something that holds a pinned object besides its pin, or nearly does. */
interface Shape {
  /** Instructions of test/support/c/hold.c. */
  readonly make: readonly string[];
  /** The object that is pinned, and those that are then closed, by their numbers. */
  readonly subject: readonly ['map' | 'program', number];
  readonly close: readonly number[];
  /** Whether the object lives on without its pin. */
  readonly isHeld: boolean;
}

/** BPF_CGROUP_INET_EGRESS, BPF_SK_SKB_STREAM_VERDICT, BPF_FLOW_DISSECTOR and BPF_TCX_EGRESS. */
const at = { cgroup: 1, verdict: 5, dissector: 17, tcx: 47 } as const;

const program = (type: string, how: string, close: readonly number[] = [0]): Shape => {
  return { make: [`prog:${type}:pf_shape`, how], subject: ['program', 0], close, isHeld: true };
};

const shapes: Readonly<Record<string, Shape>> = {
  'nothing else': { make: ['prog:xdp:pf_shape'], subject: ['program', 0], close: [0], isHeld: false },
  'a link to a tracepoint': program('raw_tracepoint', 'link:raw_tp:0:task_rename'),
  'a link to a tracepoint that is closed': {
    ...program('raw_tracepoint', 'link:raw_tp:0:task_rename', [0, 1]),
    isHeld: false,
  },
  'a link to a control group': program('cgroup_skb', `link:cgroup:0:${groups.paths[0]}`),
  'a control group': program('cgroup_skb', `attach:0:${at.cgroup}:${groups.paths[1]}`),
  'a link to a network namespace': program('sk_lookup', 'link:netns:0'),
  'a network namespace': program('flow_dissector', `attach:0:${at.dissector}:here`),
  'a link to generic XDP': program('xdp', 'link:xdp:0:lo'),
  'a link to tcx': program('sched_cls', 'link:tcx:0:lo'),
  tcx: program('sched_cls', `attach:0:${at.tcx}:dev:lo`),
  'a perf event': program('perf_event', 'perf:0'),
  'a socket': program('socket_filter', 'filter:0'),
  'a group of sockets': program('socket_filter', 'reuseport:0'),
  'a slot of a table': {
    make: ['prog:sched_cls:pf_shape', 'map:prog_array:4:4:4:pf_shape:0', 'put:1:2:0'],
    subject: ['program', 0],
    close: [0],
    isHeld: true,
  },
  'a slot of a table that is closed': {
    make: ['prog:sched_cls:pf_shape', 'map:prog_array:4:4:4:pf_shape:0', 'put:1:2:0'],
    subject: ['program', 0],
    close: [0, 1],
    isHeld: false,
  },
  'an entry of a device map': {
    make: ['prog-at:xdp:33:pf_shape', 'map:devmap:4:8:4:pf_shape:0', 'put-pair:1:1:1:0'],
    subject: ['program', 0],
    close: [0],
    isHeld: true,
  },
  'a map of maps': {
    make: ['map:hash:4:4:4:pf_shape:0', 'map:array_of_maps:4:4:4:pf_shape:0:0', 'put:1:1:0'],
    subject: ['map', 0],
    close: [0],
    isHeld: true,
  },
  'a map of maps of which it is only the model': {
    make: ['map:hash:4:4:4:pf_shape:0', 'map:array_of_maps:4:4:4:pf_shape:0:0'],
    subject: ['map', 0],
    close: [0],
    isHeld: false,
  },
  'a program': {
    make: ['map:hash:4:4:4:pf_shape:0', 'prog:xdp:pf_shape:0'],
    subject: ['map', 0],
    close: [0],
    isHeld: true,
  },
  'a mapping': {
    make: ['map:array:4:8:4:pf_shape:1024', 'mmap:0'],
    subject: ['map', 0],
    close: [0],
    isHeld: true,
  },
  'a sockmap': {
    make: ['map:sockmap:4:4:2:pf_shape:0', 'prog:sk_skb:pf_shape', `attach:1:${at.verdict}:map:0`],
    subject: ['program', 1],
    close: [1],
    isHeld: true,
  },
  'an iterator over its elements': {
    make: ['map:hash:4:4:4:pf_shape:0', 'prog-iter:bpf_map_elem:pf_shape', 'link:iter:1:0'],
    subject: ['map', 0],
    close: [0, 1],
    isHeld: true,
  },
  'a run of an iterator': {
    make: ['prog-iter:bpf_map:pf_shape', 'link:iter:0', 'run:1'],
    subject: ['program', 0],
    close: [0, 1],
    isHeld: true,
  },
};

let agent: TestAgent & AsyncDisposable;
let spaces: Namespaces;
before(async () => {
  spaces = await openNamespaces({ net: true });
  agent = await startAgent(bpffs.path, state.path);
});
after(async () => {
  await agent?.[Symbol.asyncDispose]();
  spaces?.[Symbol.dispose]();
});

for (const [what, { make, subject, close, isHeld }] of Object.entries(shapes)) {
  test(`what is said of a pin beside ${what} is so when it is gone`, async () => {
    using holder = await holdAs((command, args) => spaces.start(command, ...args), ...make);
    const [kind, index] = subject;
    const { id } = objectAt(holder, index);
    const name = `beside-${id}`;
    await holder.tell(`pin:${index}:${join(bpffs.path, name)}`);
    for (const each of close) await holder.tell(`close:${each}`);
    await untilPasses(() => {
      const { if_unpinned, sentences } = agent.agent.holders.why(kind, id);
      const [entry] = if_unpinned.filter(({ path }) => path === name);
      const isFreed = entry?.freed.some((one) => one.kind === kind && one.id === id);
      assert.deepEqual([isFreed, entry?.perhaps_freed], [!isHeld, []], sentences.join(' '));
      assert.equal(sentences.join(' ').includes('nothing is lost'), isHeld, sentences.join(' '));
    }, patience);
    unlinkSync(join(bpffs.path, name));
    await freeChain(sampler);
    await untilPasses(async () => {
      assert.equal((await sampler.sample()).has(counterKey(kind, id)), isHeld);
    }, patience);
  });
}

function objectAt(holder: Holder, index: number): Holder['objects'][number] {
  const object = holder.objects.find((one) => one.index === index);
  if (object === undefined) throw new Error(`there is no object ${index}`);
  return object;
}
