import assert from 'node:assert/strict';
import { linkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { AgentHolderReads } from '../../src/agent/holder/holder-reads.ts';
import { type ReadingParts, readHoldersOf } from '../../src/agent/holder/reading.ts';
import { Inventory } from '../../src/agent/inventory/inventory.ts';
import { KnownMounts } from '../../src/agent/observer/known-mounts.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { holderGraph, whyDocument } from '../../src/model/holder/document.ts';
import type { HolderFacts, HolderRequest } from '../../src/model/holder/facts.ts';
import { limits } from '../../src/model/limits.ts';
import type { WhyDocument } from '../../src/model/schema/holder.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { forFile } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { realClock, startAgent } from '../support/observed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

const bpffs = forFile(mountBpffs());
const kernel = forFile(openKernel());

function partsWith(given: Partial<ReadingParts> = {}): ReadingParts {
  return {
    kernel,
    clock: realClock,
    inventory: new Inventory(),
    whyNoCounters: (kind) => (kind === 'btf' ? 'no iterator' : kernel.counters.unavailable(kind)),
    primaryMount: () => undefined,
    known: new KnownMounts(),
    ...given,
  };
}

/** The same kernel, whose readings of holders something happens to before their answer is used. */
function kernelThat(after: (facts: HolderFacts, reading: number) => HolderFacts): Kernel {
  let readings = 0;
  return { ...kernel, holders: { read: (request) => after(kernel.holders.read(request), ++readings) } };
}

test('a holder that goes while it is being read makes the reading be taken once more', async () => {
  const path = join(bpffs.path, 'racing');
  using holder = await hold('map:hash:4:8:16:pf_racing:0', `pin:0:${path}-stays`);
  const id = holder.objects[0]?.id ?? 0;
  const described = kernel.objects.describe('map', id);
  assert.ok(described !== undefined);
  const subject = { kind: 'map', id, info: described.info } as const;
  let readings = 0;
  const racing = () =>
    kernelThat((facts, reading) => {
      readings = reading;
      if (reading === 1) {
        unlinkSync(path);
        const deadline = performance.now() + 60_000;
        while (kernel.counters.readOne('map', id)?.usercnt !== 2n) assert.ok(performance.now() < deadline);
      }
      return facts;
    });
  await untilPasses(async () => {
    await holder.tell(`pin:0:${path}`);
    const graph = holderGraph(readHoldersOf(partsWith({ kernel: racing() }), subject));
    assert.equal(readings, 2);
    assert.equal(graph.references.pins, 1);
    assert.deepEqual(graph.unexplained, { users: 0, kernel: 0 });
  });
});

test('a reading that stays out of step is given after the third, and never below nothing', async () => {
  using holder = await hold('map:hash:4:8:16:pf_phantom:0', `pin:0:${join(bpffs.path, 'phantom')}`);
  const id = holder.objects[0]?.id ?? 0;
  let readings = 0;
  const doubling = () =>
    kernelThat((facts, reading) => {
      readings = reading;
      return { ...facts, pins: facts.pins.flatMap((pin) => [pin, { ...pin, inode: -pin.inode }]) };
    });
  const described = kernel.objects.describe('map', id);
  assert.ok(described !== undefined);
  const subject = { kind: 'map', id, info: described.info } as const;
  await untilPasses(() => {
    const graph = holderGraph(readHoldersOf(partsWith({ kernel: doubling() }), subject));
    assert.equal(readings, 3);
    assert.deepEqual(graph.unexplained, { users: 0, kernel: 0 });
  });
});

test('a holder that comes while it is being read is not unexplained; one out of sight is', async () => {
  using holder = await hold('map:hash:4:8:16:pf_coming:0', `pin:0:${join(bpffs.path, 'coming')}`);
  const id = holder.objects[0]?.id ?? 0;
  const described = kernel.objects.describe('map', id);
  assert.ok(described !== undefined);
  const subject = { kind: 'map', id, info: described.info } as const;
  let readings = 0;
  // As if it had been opened between the first walk and the look at the counters.
  const opening = () =>
    kernelThat((facts, reading) => {
      readings = reading;
      return reading > 2 ? facts : { ...facts, files: [] };
    });
  await untilPasses(() => {
    const graph = holderGraph(readHoldersOf(partsWith({ kernel: opening() }), subject));
    assert.deepEqual([readings, graph.unexplained], [3, { users: 0, kernel: 0 }]);
  });
  const blind = () =>
    kernelThat((facts, reading) => {
      readings = reading;
      return { ...facts, files: [] };
    });
  await untilPasses(() => {
    const hidden = whyDocument(readHoldersOf(partsWith({ kernel: blind() }), subject));
    assert.deepEqual([readings, hidden.unexplained?.users], [3, 1]);
    assert.doesNotMatch(hidden.sentences.join(' '), /came or went/);
  });
});

test('what was observed is walked once where the first look found as much, pins in place', async () => {
  using holder = await hold('map:hash:4:8:16:pf_observed:0');
  const id = holder.objects[0]?.id ?? 0;
  const described = kernel.objects.describe('map', id);
  assert.ok(described !== undefined);
  let readings = 0;
  const blind = () =>
    kernelThat((facts, reading) => {
      readings = reading;
      return { ...facts, files: [] };
    });
  const inventory = new Inventory();
  inventory.objects.set({ kind: 'map', id, ...described, firstSeen: '2026-01-01T00:00:00.000Z' });
  await untilPasses(() => {
    const parts = partsWith({ kernel: blind(), inventory });
    const hidden = whyDocument(readHoldersOf(parts, { kind: 'map', id, info: described.info }));
    assert.deepEqual([readings, hidden.unexplained?.users], [2, 1]);
  });
});

test('where no two walks agree, that is said', async () => {
  using holder = await hold('map:hash:4:8:16:pf_restless:0', `pin:0:${join(bpffs.path, 'restless')}`);
  const id = holder.objects[0]?.id ?? 0;
  const described = kernel.objects.describe('map', id);
  assert.ok(described !== undefined);
  let readings = 0;
  const restless = () =>
    kernelThat((facts, reading) => {
      readings = reading;
      return { ...facts, files: [], pins: reading % 2 === 0 ? [] : facts.pins };
    });
  await untilPasses(() => {
    const parts = partsWith({ kernel: restless() });
    const why = whyDocument(readHoldersOf(parts, { kind: 'map', id, info: described.info }));
    assert.equal(readings, 4);
    assert.ok(why.sentences.includes('Holders came or went while this was read.'), why.sentences.join(' '));
  });
});

test('an object that goes while it is being read is not found; one with its id is read anew', async (t) => {
  using holder = await hold('map:hash:4:8:16:pf_reused:0', 'map:hash:4:8:32:pf_reusing:0');
  const [map, other] = holder.objects.map((one) => one.id);
  const describe = kernel.objects.describe.bind(kernel.objects);
  let readings = 0;
  const counting = kernelThat((facts, reading) => {
    readings = reading;
    return facts;
  });
  const reads = new AgentHolderReads({ ...partsWith({ kernel: counting }), isPinsOnly: false });
  let asked = 0;
  t.mock.method(kernel.objects, 'describe', (kind: 'map', id: number) => {
    return id === map && ++asked > 1 ? describe(kind, other ?? 0) : describe(kind, id);
  });
  reads.why('map', map ?? 0);
  assert.equal(readings, 2);
  asked = 0;
  t.mock.method(kernel.objects, 'describe', (kind: 'map', id: number) =>
    ++asked > 1 ? undefined : describe(kind, id),
  );
  assert.throws(
    () => reads.why('map', map ?? 0),
    (error) => isPinfoldError(error, 'object_not_found'),
  );
});

test('one reading answers for a second and no longer, and says of when it is', async () => {
  using holder = await hold('map:hash:4:8:16:pf_second:0');
  const id = holder.objects[0]?.id ?? 0;
  let nowMs = 0;
  const clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs, bootMs: () => nowMs };
  const reads = new AgentHolderReads({ ...partsWith({ clock }), isPinsOnly: false });
  const object = { kind: 'map', id } as const;
  await untilPasses(() => {
    nowMs += limits.holderReadingMs;
    assert.equal(reads.referencesOf(object)?.fds, 1);
  });
  const readAt = nowMs;
  await holder.tell(`id:map:${id}`);
  nowMs = readAt + limits.holderReadingMs - 1;
  const before = reads.referencesOf(object);
  assert.deepEqual([before?.fds, before?.holders_observed_at], [1, new Date(readAt).toISOString()]);
  nowMs = readAt + limits.holderReadingMs;
  const after = reads.referencesOf(object);
  assert.deepEqual([after?.fds, after?.holders_observed_at], [2, new Date(nowMs).toISOString()]);
});

test('reading who holds what leaves no descriptor open, and holds nothing that it reports', async () => {
  using holder = await hold('map:hash:4:8:16:pf_quiet:0', `pin:0:${join(bpffs.path, 'quiet')}`);
  const id = holder.objects[0]?.id ?? 0;
  const reads = new AgentHolderReads({ ...partsWith(), isPinsOnly: false });
  for (let turn = 0; turn < 5; turn++) {
    await untilPasses(() => {
      const { references } = reads.why('map', id);
      assert.deepEqual([references.pins, references.fds, references.unexplained], [1, 1, 0]);
    });
    assert.deepEqual(kernel.fds.transient(), []);
  }
});

test('where known pins and open files are all that the kernel counts, nothing else is walked', async () => {
  using dir = tempDir('state');
  const own = openKernel();
  const requests: HolderRequest[] = [];
  let isShortcut = true;
  const read = (request: HolderRequest): HolderFacts => {
    requests.push(request);
    const { knownPins, ...rest } = request;
    return own.holders.read(isShortcut && knownPins !== undefined ? { ...rest, knownPins } : rest);
  };
  await using started = await startAgent(bpffs.path, dir.path, { kernel: { ...own, holders: { read } } });
  using holder = await hold(
    'map:array:4:8:1:pf_near:0',
    `pin:0:${join(bpffs.path, 'near')}`,
    'prog:xdp:pf_near:0',
    `pin:1:${join(bpffs.path, 'near-program')}`,
  );
  linkSync(join(bpffs.path, 'near'), join(bpffs.path, 'near-again'));
  const id = holder.objects[0]?.id ?? 0;
  const ask = (): WhyDocument => started.agent.holders.why('map', id);
  await started.agent.reads.refresh();
  requests.length = 0;
  const near = ask();
  assert.deepEqual(
    requests.map(({ knownPins }) => knownPins !== undefined),
    [true],
  );
  isShortcut = false;
  assert.deepEqual({ ...ask(), observed_at: '' }, { ...near, observed_at: '' });
  isShortcut = true;

  // A name that nobody knows yet is found, at once: the inode has more names than are known.
  requests.length = 0;
  linkSync(join(bpffs.path, 'near'), join(bpffs.path, 'near-third'));
  const told = ask().nodes.flatMap((node) => (node.node === 'pin' ? node.names.map(({ path }) => path) : []));
  assert.ok(
    ['near', 'near-again', 'near-third'].every((path) => told.includes(path)),
    told.join(),
  );
  assert.ok(requests.length > 1);
});
