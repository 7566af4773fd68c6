import { within } from '../../kernel/edit/entry-input.ts';
import { lookupElement } from '../../kernel/entries/elements.ts';
import { type MapShape, shapeOf } from '../../kernel/entries/map-shape.ts';
import { openReader } from '../../kernel/entries/open-reader.ts';
import { entryForm } from '../../kernel/entries/write/entry-form.ts';
import { parseHex } from '../../kernel/entries/write/hex.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { aType } from '../../model/map-rule/complaints.ts';
import { etagOfValue } from '../edit/etag.ts';
import { hasExactKey } from './exact-key.ts';
import type { Output } from './output.ts';
import { consistencyOf, formatPosition, parsePosition } from './position.ts';
import type { JobSpec, JobSummary, OpenMap, Task } from './protocol.ts';
import {
  beginReading,
  btfFinder,
  mapFd,
  naming,
  positions,
  type Readings,
  readOn,
  standAt,
} from './reading.ts';
import { produceStream } from './stream.ts';

/** What a job may ask of the main thread. */
export interface Opener {
  /** Opens another map, told to the main thread as held; undefined where it is gone. */
  open(id: number): Promise<OpenMap | undefined>;
  close(map: OpenMap): void;
}

/** What a job works with. */
export interface Workbench extends Readings {
  readonly output: Output;
  readonly opener: Opener;
}

/**
 * Reads what a job asks for and writes it to the output. A page is its items with commas between them, an
 * entry its document, a stream its lines.
 *
 * @throws PinfoldError what refuses it; Cancelled
 */
export async function produce(spec: JobSpec, bench: Workbench): Promise<JobSummary> {
  const { task } = spec;
  switch (task.kind) {
    case 'stream':
      return await produceStream(spec, task, bench);
    case 'page':
      return await producePage(spec, task, bench);
    case 'entry':
      return await produceEntry(spec, task, bench);
    case 'count':
      return await countEntries(spec, bench);
    case 'peek':
      return await peek(spec, bench);
  }
}

async function producePage(
  spec: JobSpec,
  task: Task & { readonly kind: 'page' },
  bench: Workbench,
): Promise<JobSummary> {
  const { output } = bench;
  const start = parsePosition(task.position, spec.map.info.key_size);
  const reading = beginReading(spec, bench, start);
  const here = positions(reading, start);
  const { reader, form, shape, place } = reading;
  let { skip } = start;
  let count = 0;
  let next: string | undefined;
  while (next === undefined && !reader.isDone) {
    const left = task.limit - count;
    const stood = here();
    const got = readOn(reading, left + skip);
    if (got - skip > left && count > 0) {
      // A whole bucket does not fit any more: it begins the next page.
      next = formatPosition({ ...stood, skip });
      break;
    }
    let index = skip;
    for (; index < got && count < task.limit && output.text.length < limits.entryPageBytesMax; index++) {
      if (count++ > 0) output.text.byte(0x2c);
      standAt(reading, index);
      form.writeEntry(place, output.text);
    }
    const isFull = count >= task.limit || output.text.length >= limits.entryPageBytesMax;
    if (index < got) next = formatPosition({ ...stood, skip: index });
    else if (isFull && !reader.isDone) next = formatPosition(here());
    skip = Math.max(0, skip - got);
    await output.breathe();
  }
  await output.flush();
  return {
    count,
    complete: !reader.isGivenUp,
    consistency: consistencyOf(shape, start.skip, next),
    ...(next === undefined ? {} : { next }),
    ...(reader.isGivenUp ? { stopped: 'changes' } : {}),
  };
}

async function produceEntry(
  { map, choice, possibleCpus }: JobSpec,
  { key: wanted }: Task & { readonly kind: 'entry' },
  { output, fds }: Workbench,
): Promise<JobSummary> {
  const shape = shapeOf(map.info, possibleCpus);
  const form = entryForm(shape, choice, btfFinder(fds));
  const key =
    'hex' in wanted
      ? within('/params/hex', () => parseHex(wanted.hex, shape.keySize))
      : within('/query/key', () => form.parseKey(wanted.json));
  const value = Buffer.alloc(shape.wireSize);
  const isThere = naming(map.info, () => lookupElement(mapFd(map), key, value));
  if (!isThere || !naming(map.info, () => hasExactKey(mapFd(map), shape, key))) {
    throw new PinfoldError('entry_not_found', {
      detail: `Map ${map.info.id} has no entry with the key ${key.toString('hex')}.`,
      kind: 'map',
      id: map.info.id,
    });
  }
  form.writeEntry({ keys: key, keyAt: 0, values: value, valueAt: 0 }, output.text);
  await output.flush();
  return { count: 1, complete: true, consistency: shape.consistency, etag: etagOfValue(value) };
}

async function countEntries({ map, possibleCpus }: JobSpec, { output }: Workbench): Promise<JobSummary> {
  const known = shapeOf(map.info, possibleCpus);
  if (isAlwaysFull(known)) {
    const { maxEntries: count, consistency } = known;
    return { count, complete: true, consistency, method: 'max_entries' };
  }
  const { reader, shape } = openReader(mapFd(map), known);
  let count = 0;
  while (!reader.isDone) {
    count += naming(map.info, () => reader.read(Number.MAX_SAFE_INTEGER));
    await output.breathe();
  }
  const { consistency } = shape;
  const isWhole = !reader.isGivenUp;
  return { count, complete: isWhole, consistency, ...(isWhole ? {} : { stopped: 'changes' }) };
}

/** Every slot of these has a value from the beginning. */
function isAlwaysFull({ info }: MapShape): boolean {
  return info.type === 'array' || info.type === 'percpu_array';
}

async function peek({ map, choice, possibleCpus }: JobSpec, { output, fds }: Workbench): Promise<JobSummary> {
  const { info } = map;
  if (info.type !== 'queue' && info.type !== 'stack') {
    const detail = `Map ${info.id} is ${aType(info.type)}; only queues and stacks have a head to peek at.`;
    throw new PinfoldError('not_readable', { detail, kind: 'map', id: info.id, map_type: info.type });
  }
  const shape: MapShape = {
    info,
    way: 'keys',
    consistency: 'per_element',
    keySize: 0,
    wireSize: info.value_size,
    cpuStride: undefined,
    cpus: possibleCpus,
    maxEntries: info.max_entries,
  };
  const form = entryForm(shape, choice, btfFinder(fds));
  const value = Buffer.alloc(info.value_size);
  if (!naming(info, () => lookupElement(mapFd(map), undefined, value))) {
    throw new PinfoldError('entry_not_found', {
      detail: `Map ${info.id} is empty.`,
      kind: 'map',
      id: info.id,
    });
  }
  form.writeValue(value, 0, output.text);
  await output.flush();
  return { count: 1, complete: true, consistency: shape.consistency };
}
