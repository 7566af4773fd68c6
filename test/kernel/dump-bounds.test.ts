import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { DumpHolds } from '../../src/agent/dump/dump-holds.ts';
import { DumpPool } from '../../src/agent/dump/pool.ts';
import type { Bounds, JobSummary } from '../../src/agent/dump/protocol.ts';
import type { RunningJob } from '../../src/agent/dump/running-job.ts';
import { startWorker } from '../../src/agent/dump/start-worker.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import type { EntryFormat } from '../../src/model/schema/entry.ts';
import { type FilledMaps, filledMaps } from '../support/entries.ts';
import { hold } from '../support/hold.ts';
import { turn } from '../support/turn.ts';
import { until } from '../support/until.ts';

const count = 50_000;
const noBounds: Bounds = { bytesMax: 2 ** 40, ms: 3_600_000 };

let kernel: Kernel;
let maps: FilledMaps;
let pool: DumpPool;
let nowMs = 0;
before(async () => {
  kernel = openKernel();
  maps = await filledMaps('big', String(count));
  const holds = new DumpHolds();
  const hold = (id: number) => kernel.objects.holdById('map', id);
  pool = new DumpPool({ holds, hold, startWorker, monotonicMs: () => nowMs });
});
after(async () => {
  await pool.stop();
  maps[Symbol.dispose]();
  assert.deepEqual(kernel.fds.transient(), []);
  kernel[Symbol.dispose]();
});

/** One dump within bounds: its lines and what it says of itself. */
async function dump(
  bounds: Bounds,
  { position, rowsMax = count }: { readonly position?: string | undefined; readonly rowsMax?: number } = {},
): Promise<{ readonly lines: readonly string[]; readonly summary: JobSummary }> {
  const job = pool.start(kernel.objects.holdById('map', maps.id('big')), {
    possibleCpus: kernel.facts.cpus.possible,
    choice: {},
    task: { kind: 'stream', rowsMax, follow: false, ...(position === undefined ? {} : { position }) },
    bounds,
  });
  let text = '';
  for (let piece = await job.next(); piece !== undefined; piece = await job.next()) {
    text += Buffer.from(piece).toString('latin1');
  }
  const lines = text === '' ? [] : text.trimEnd().split('\n');
  return { lines, summary: job.summary() };
}

for (const { stopped, bounds, rowsMax } of [
  { stopped: 'rows', bounds: noBounds, rowsMax: 7001 },
  { stopped: 'bytes', bounds: { ...noBounds, bytesMax: 300_000 }, rowsMax: count + 1 },
] as const) {
  test(`a dump that may have no more ${stopped} stops, says so, and goes on where it stopped`, async () => {
    const lines: string[] = [];
    let position: string | undefined;
    let dumps = 0;
    do {
      const part = await dump(bounds, { position, rowsMax });
      lines.push(...part.lines);
      assert.equal(part.summary.count, part.lines.length);
      position = part.summary.next;
      assert.equal(part.summary.complete, position === undefined);
      assert.equal(part.summary.stopped, position === undefined ? undefined : stopped);
      if (stopped === 'rows') assert.ok(part.lines.length <= rowsMax);
      dumps++;
    } while (position !== undefined);
    assert.ok(dumps > 2, `only ${dumps} dumps`);
    assert.equal(lines.length, count);
    assert.equal(new Set(lines).size, count);
  });
}

test('threads that are asked to end while they load take what they read with them', async () => {
  for (let nth = 0; nth < 5; nth++) {
    const holds = new DumpHolds();
    const hold = (id: number) => kernel.objects.holdById('map', id);
    const brief = new DumpPool({ holds, hold, startWorker, monotonicMs: () => nowMs });
    const job = brief.start(kernel.objects.holdById('map', maps.id('big')), {
      possibleCpus: kernel.facts.cpus.possible,
      choice: {},
      task: { kind: 'stream', rowsMax: count, follow: false },
      bounds: noBounds,
    });
    const reading = assert.rejects(async () => {
      while ((await job.next()) !== undefined);
    });
    for (let round = 0; round < nth; round++) await turn();
    await brief.stop();
    await reading;
    assert.equal(brief.size, 0);
    assert.deepEqual(kernel.fds.transient(), []);
  }
});

test('a bound that is exactly what there is stops nothing', async () => {
  const { summary } = await dump(noBounds, { rowsMax: count });
  assert.equal(summary.complete, true);
  assert.equal(summary.count, count);
});

test('a dump whose time is over stops after what it has read, and can be gone on with', async () => {
  const first = await dump({ ...noBounds, ms: 0 });
  assert.equal(first.summary.stopped, 'time');
  assert.ok(first.lines.length > 0 && first.lines.length < count);
  const rest = await dump(noBounds, { position: first.summary.next });
  assert.equal(new Set([...first.lines, ...rest.lines]).size, count);
  assert.equal(first.lines.length + rest.lines.length, count);
});

test('a reader that goes on keeps its place; who took nothing for longest loses it, once', async () => {
  const begin = async () => {
    const job = pool.start(kernel.objects.holdById('map', maps.id('big')), {
      possibleCpus: kernel.facts.cpus.possible,
      choice: {},
      task: { kind: 'stream', rowsMax: count, follow: false },
      bounds: noBounds,
    });
    await job.begun();
    return job;
  };
  const cut: number[] = [];
  const jobs: RunningJob[] = [];
  for (let nth = 0; nth < limits.dumpsMax; nth++) {
    const job = await begin();
    job.onCut(() => cut.push(nth));
    jobs.push(job);
  }
  nowMs += limits.dumpStalledMs - 1;
  for (const [nth, job] of jobs.entries()) if (nth !== 3) await job.next();
  await assert.rejects(begin, { code: 'too_many_requests' });
  nowMs += 1;
  const another = await begin();
  assert.deepEqual(cut, [3]);
  await assert.rejects(begin, { code: 'too_many_requests' });
  // What it was given it may still read; then it ends.
  await assert.rejects(async () => {
    for (let piece = await jobs[3]?.next(); piece !== undefined; ) piece = await jobs[3]?.next();
  }, /its place was wanted/);
  for (const job of [...jobs, another]) job.cancel();
  await until('all to end', () => pool.size === 0);
});

test('large values share a bound of memory, and one map is read however large its are', async () => {
  const mib = 1024 ** 2;
  using maker = await hold(
    `map:array:4:${8 * mib}:1:pf_eight:0`,
    `map:array:4:${16 * mib - 8}:1:pf_sixteen:0`,
  );
  const [eight, sixteen] = maker.objects.map(({ id }) => id);
  const begin = (id: number, kind: 'stream' | 'entry', format: EntryFormat = 'bpftool') =>
    pool.start(kernel.objects.holdById('map', id), {
      possibleCpus: kernel.facts.cpus.possible,
      choice: { format },
      task: kind === 'stream' ? { kind, rowsMax: 1, follow: false } : { kind, key: { hex: '00000000' } },
      bounds: noBounds,
    });
  const refused = (error: unknown) =>
    isPinfoldError(error, 'too_many_requests') && error.details['limit'] === 'dump_memory';
  const first = begin(Number(eight), 'stream');
  const second = begin(Number(eight), 'stream');
  for (const kind of ['stream', 'entry'] as const) {
    assert.throws(() => begin(Number(eight), kind), refused);
  }
  // Whoever reads small values is not kept out.
  const { lines } = await dump(noBounds, { rowsMax: 10 });
  assert.ok(lines.length > 0 && lines.length <= 10, `${lines.length} lines, up to the end of a bucket`);
  for (const job of [first, second]) job.cancel();
  await until('both to end', () => pool.size === 0);
  const alone = begin(Number(sixteen), 'entry', 'raw');
  assert.throws(() => begin(Number(eight), 'stream'), refused);
  let bytes = 0;
  for (let piece = await alone.next(); piece !== undefined; piece = await alone.next()) bytes += piece.length;
  assert.ok(bytes > 31 * mib, `${bytes} bytes of text`);
});
