import { isPinfoldError } from '../../model/error.ts';
import type { EntryChoice } from '../../model/schema/entry.ts';
import type { Output } from './output.ts';
import { consistencyOf, formatPosition, parsePosition } from './position.ts';
import type { Workbench } from './produce.ts';
import type { JobSpec, JobSummary, OpenMap, Task } from './protocol.ts';
import { beginReading, innerChoice, positions, type Reading, readOn, standAt } from './reading.ts';

/** Writes one entry a line until the end, or until a bound is reached. */
export async function produceStream(
  spec: JobSpec,
  task: Task & { readonly kind: 'stream' },
  bench: Workbench,
): Promise<JobSummary> {
  const { output } = bench;
  const start = parsePosition(task.position, spec.map.info.key_size);
  const reading = beginReading(spec, bench, start, !task.follow);
  const { reader, shape } = reading;
  const follow = task.follow && shape.meaning === 'map' && reading.form.format === 'typed';
  const meter = new Meter(spec, task.rowsMax, output);
  const here = positions(reading, start);
  let { skip } = start;
  let next: string | undefined;
  while (!reader.isDone && next === undefined) {
    const stood = here();
    const got = readOn(reading, skip + meter.rowsLeft);
    if (got - skip > meter.rowsLeft && meter.rows > 0) {
      // A whole bucket is more than may still come: whoever goes on begins with it.
      next = formatPosition({ ...stood, skip });
      break;
    }
    const end = Math.min(got, skip + meter.rowsLeft);
    if (follow) await writeFollowed(reading, { from: skip, to: end }, bench);
    else await writeLines(reading, { from: skip, to: end }, output);
    meter.rows += Math.max(end - skip, 0);
    skip = Math.max(0, skip - got);
    await output.breathe();
    if (end < got) next = formatPosition({ ...stood, skip: end });
    else if (!reader.isDone && meter.stopped !== undefined) {
      next = formatPosition(here());
    }
  }
  await output.flush();
  const stopped = next === undefined ? (reader.isGivenUp ? 'changes' : undefined) : (meter.stopped ?? 'rows');
  return {
    count: meter.rows,
    complete: stopped === undefined,
    consistency: consistencyOf(shape, start.skip, next),
    ...(next === undefined ? {} : { next }),
    ...(stopped === undefined ? {} : { stopped }),
  };
}

/** Which entries of what was read last. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** The hot loop of every dump. */
async function writeLines(reading: Reading, { from, to }: Range, output: Output): Promise<void> {
  const { form, lines, place } = reading;
  const { text } = output;
  standAt(reading, from);
  for (let index = from; index < to; ) {
    index += lines?.write(place, to - index, text) ?? 0;
    if (index < to && !output.isFull) {
      form.writeEntry(place, text);
      text.byte(0x0a);
      standAt(reading, ++index);
    }
    if (output.isFull) await output.flush();
  }
}

/** Each value is a map: the entries of that map stand in its line. */
async function writeFollowed(reading: Reading, { from, to }: Range, bench: Workbench): Promise<void> {
  const { form, place } = reading;
  const { text } = bench.output;
  for (let index = from; index < to; index++) {
    standAt(reading, index);
    const id = place.values.readUInt32LE(place.valueAt);
    text.string('{"key":');
    form.writeKey(place.keys, place.keyAt, text);
    text.string(`,"value":{"kind":"map","id":${id},`);
    await writeInner(id, bench);
    text.string('}}\n');
    if (bench.output.isFull) await bench.output.flush();
  }
}

async function writeInner(id: number, bench: Workbench): Promise<void> {
  const { text } = bench.output;
  const map = await bench.opener.open(id);
  if (map === undefined) {
    text.string('"unreadable":"It is gone."');
    return;
  }
  try {
    const reading = readingOf(map, innerChoice, bench);
    if (typeof reading === 'string') text.string(`"unreadable":${JSON.stringify(reading)}`);
    else await writeItems(reading, bench.output);
  } finally {
    bench.opener.close(map);
  }
}

/** A reading, or why there is none: one inner map that cannot be read is no reason to end the dump. */
function readingOf(map: OpenMap, choice: EntryChoice, bench: Workbench): Reading | string {
  try {
    return beginReading({ map, choice }, bench);
  } catch (error) {
    if (isPinfoldError(error)) return error.message;
    throw error;
  }
}

async function writeItems(reading: Reading, output: Output): Promise<void> {
  const { reader, form, place } = reading;
  const { text } = output;
  let count = 0;
  text.string('"entries":[');
  while (!reader.isDone) {
    const got = readOn(reading, Number.MAX_SAFE_INTEGER);
    for (let index = 0; index < got; index++) {
      if (count++ > 0) text.byte(0x2c);
      standAt(reading, index);
      form.writeEntry(place, text);
      if (output.isFull) await output.flush();
    }
    await output.breathe();
  }
  text.byte(0x5d);
}

/** Counts what one dump comes to, against its bounds. */
class Meter {
  rows = 0;
  readonly #rowsMax: number;
  readonly #bytesMax: number;
  readonly #output: Output;
  readonly #ends: number;

  constructor({ bounds }: JobSpec, rowsMax: number, output: Output) {
    this.#rowsMax = rowsMax;
    this.#bytesMax = bounds.bytesMax;
    this.#output = output;
    this.#ends = performance.now() + bounds.ms;
  }

  get rowsLeft(): number {
    return this.#rowsMax - this.rows;
  }

  /** Which bound is reached. */
  get stopped(): 'rows' | 'bytes' | 'time' | undefined {
    if (this.rows >= this.#rowsMax) return 'rows';
    if (this.#output.bytes >= this.#bytesMax) return 'bytes';
    return performance.now() >= this.#ends ? 'time' : undefined;
  }
}
