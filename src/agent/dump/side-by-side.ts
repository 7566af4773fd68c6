import { PinfoldError } from '../../model/error.ts';
import type { JobSummary } from './protocol.ts';
import type { RunningJob } from './running-job.ts';

/** Between the positions of two parts of one dump. */
const separator = '+';

/** A dump is divided into halves. */
const partsMax = 2;

/** The positions at which the parts of a dump go on, as one text. */
export function joinPositions(positions: readonly string[]): string {
  return positions.join(separator);
}

/** Those positions again; a dump that was not divided has one. @throws PinfoldError bad_cursor */
export function splitPositions(text: string): readonly string[] {
  const positions = text.split(separator);
  const [first, ...others] = positions;
  const isDivided = others.length > 0;
  if (positions.length > partsMax || (isDivided && first?.includes('-') !== true)) {
    throw new PinfoldError('bad_cursor');
  }
  return positions;
}

/**
 * The pieces of jobs that read parts of one map, as they come, and then what they came to together. Each
 * piece is lent, as a single job's: it changes once the next is asked for.
 *
 * @param later - positions of parts that are not read now: whoever goes on begins there
 * @throws PinfoldError and whatever one of them threw; the others are then cancelled
 */
export async function* sideBySide(
  jobs: readonly RunningJob[],
  later: readonly (string | undefined)[] = [],
): AsyncGenerator<Uint8Array, JobSummary, undefined> {
  const waiting = new Map(jobs.map((job) => [job, nextOf(job)]));
  let isWhole = false;
  try {
    while (waiting.size > 0) {
      const { job, piece } = await Promise.race(waiting.values());
      waiting.delete(job);
      if (piece === undefined) continue;
      yield piece;
      waiting.set(job, nextOf(job));
    }
    isWhole = true;
    return together(
      jobs.map((job) => job.summary()),
      later.flatMap((position) => position ?? []),
    );
  } finally {
    if (!isWhole) for (const job of jobs) job.cancel();
  }
}

/** A job's next piece. That it fails is not lost: whoever races hears it, unless all have been given up. */
function nextOf(job: RunningJob): Promise<{ readonly job: RunningJob; readonly piece?: Uint8Array }> {
  const next = job.next().then((piece) => (piece === undefined ? { job } : { job, piece }));
  next.catch(() => undefined);
  return next;
}

function together(summaries: readonly JobSummary[], later: readonly string[]): JobSummary {
  const [first, ...others] = summaries;
  if (first === undefined) throw new Error('a dump has at least one job');
  const positions = [...summaries.flatMap(({ next }) => next ?? []), ...later];
  const reason = summaries.find((summary) => summary.stopped !== undefined)?.stopped;
  const stopped = reason ?? (later.length > 0 ? 'rows' : undefined);
  return {
    ...first,
    count: others.reduce((sum, { count }) => sum + count, first.count),
    complete: later.length === 0 && summaries.every(({ complete }) => complete),
    ...(positions.length === 0 ? {} : { next: joinPositions(positions) }),
    ...(stopped === undefined ? {} : { stopped }),
  };
}
