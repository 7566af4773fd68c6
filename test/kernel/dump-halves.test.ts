import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { DumpHolds } from '../../src/agent/dump/dump-holds.ts';
import { halves } from '../../src/agent/dump/halves.ts';
import { DumpPool } from '../../src/agent/dump/pool.ts';
import { formatPosition } from '../../src/agent/dump/position.ts';
import type { JobSummary } from '../../src/agent/dump/protocol.ts';
import type { RunningJob } from '../../src/agent/dump/running-job.ts';
import { sideBySide, splitPositions } from '../../src/agent/dump/side-by-side.ts';
import { startWorker } from '../../src/agent/dump/start-worker.ts';
import { cursorOf } from '../../src/kernel/entries/buckets.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { limits } from '../../src/model/limits.ts';
import { type FilledMaps, filledMaps } from '../support/entries.ts';
import { until } from '../support/until.ts';

/** So many buckets, and about one entry for each. */
const buckets = 131_072;
const count = 100_000;

let kernel: Kernel;
let maps: FilledMaps;
let pool: DumpPool;
before(async () => {
  kernel = openKernel();
  maps = await filledMaps('big', String(count));
  const holds = new DumpHolds();
  const hold = (id: number) => kernel.objects.holdById('map', id);
  pool = new DumpPool({ holds, hold, startWorker, monotonicMs: () => performance.now() });
});
after(async () => {
  await pool.stop();
  maps[Symbol.dispose]();
  assert.deepEqual(kernel.fds.transient(), []);
  kernel[Symbol.dispose]();
});

/** What reading from some positions at the same time comes to. */
async function read(
  positions: readonly (string | undefined)[],
  rowsMax = count,
): Promise<{ readonly lines: readonly string[]; readonly summary: JobSummary }> {
  const jobs: RunningJob[] = [];
  for (const position of positions) {
    const task = {
      kind: 'stream',
      rowsMax,
      follow: false,
      ...(position === undefined ? {} : { position }),
    } as const;
    const spec = {
      possibleCpus: kernel.facts.cpus.possible,
      choice: {},
      task,
      bounds: { bytesMax: 1e12, ms: 1e6 },
    };
    jobs.push(pool.start(kernel.objects.holdById('map', maps.id('big')), spec, jobs[0]));
  }
  const pieces = sideBySide(jobs);
  let text = '';
  for (;;) {
    const { done, value } = await pieces.next();
    if (done === true) return { lines: text === '' ? [] : text.trimEnd().split('\n'), summary: value };
    text += Buffer.from(value).toString('latin1');
  }
}

test('a large hash is divided in the middle of its buckets', () => {
  using held = kernel.objects.holdById('map', maps.id('big'));
  assert.deepEqual(halves(held, kernel.facts.cpus.possible), [
    formatPosition({ kernel: undefined, skip: 0, before: buckets / 2 }),
    formatPosition({ kernel: cursorOf(buckets / 2), skip: 0 }),
  ]);
});

test('wherever a hash is divided, its parts are the whole, and share nothing', async () => {
  const edges = [0, 1, 2, 63, 64, 65, 4095, 4096, 65_535, 65_536, 99_991, buckets - 2, buckets - 1];
  const empty = new Set<number>();
  for (const bucket of edges) {
    const first = formatPosition({ kernel: undefined, skip: 0, before: bucket });
    const second = formatPosition({ kernel: cursorOf(bucket), skip: 0 });
    const whole = await read([first, second]);
    assert.equal(whole.lines.length, count, `divided at bucket ${bucket}`);
    assert.equal(new Set(whole.lines).size, count, `divided at bucket ${bucket}`);
    assert.equal(whole.summary.count, count);
    assert.equal(whole.summary.complete, true);
    const { lines } = await read([first]);
    if (lines.length === 0) empty.add(bucket);
    // About as many entries as buckets: a part is as large as what it has of them, not all or nothing.
    assert.ok(Math.abs(lines.length - (bucket * count) / buckets) < 2000, `${lines.length} before ${bucket}`);
  }
  assert.ok(empty.has(0));
});

test('parts that stop early go on where each of them stopped', async () => {
  const lines: string[] = [];
  let rounds = 0;
  using held = kernel.objects.holdById('map', maps.id('big'));
  let positions = halves(held, kernel.facts.cpus.possible);
  while (positions.length > 0) {
    const part = await read(positions, 7001);
    lines.push(...part.lines);
    const { next, stopped, complete } = part.summary;
    assert.equal(complete, next === undefined);
    assert.equal(stopped, next === undefined ? undefined : 'rows');
    positions = next === undefined ? [] : splitPositions(next);
    rounds++;
  }
  assert.ok(rounds > 5, `${rounds} rounds`);
  assert.equal(lines.length, count);
  assert.equal(new Set(lines).size, count);
});

test('where one part fails, the dump fails and the other ends', async () => {
  const wrong = formatPosition({ kernel: Buffer.alloc(1), skip: 0 });
  await assert.rejects(read([undefined, wrong]), { code: 'bad_cursor' });
  assert.throws(() => splitPositions('.0+.0+.0'), { code: 'bad_cursor' });
});

test('the parts of a dump have one place together, for as long as one of them is left', async () => {
  const begin = (partOf?: RunningJob): RunningJob => {
    const task = { kind: 'stream', rowsMax: partOf === undefined ? 1 : count, follow: false } as const;
    const bounds = { bytesMax: 1e12, ms: 1e6 };
    const spec = { possibleCpus: kernel.facts.cpus.possible, choice: {}, task, bounds };
    return pool.start(kernel.objects.holdById('map', maps.id('big')), spec, partOf);
  };
  await until('the jobs of other tests to end', () => pool.size === 0);
  const rest: RunningJob[] = [];
  for (let dump = 0; dump < limits.dumpsMax; dump++) {
    const first = begin();
    rest.push(begin(first));
    while ((await first.next()) !== undefined);
  }
  assert.throws(() => begin(), { code: 'too_many_requests' });
  rest.pop()?.cancel();
  await until('a place', () => pool.size < limits.dumpsMax);
  rest.push(begin());
  for (const job of rest) job.cancel();
  await until('all to end', () => pool.size === 0);
});
