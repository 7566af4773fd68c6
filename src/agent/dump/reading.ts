import { type CompiledLines, compiledLines, type TakeArena } from '../../kernel/entries/compiled-lines.ts';
import type { MapFd } from '../../kernel/entries/elements.ts';
import { readBtfById } from '../../kernel/entries/map-btf.ts';
import { shapeOf } from '../../kernel/entries/map-shape.ts';
import { type OpenReader, openReader } from '../../kernel/entries/open-reader.ts';
import { typeIdsOf } from '../../kernel/entries/type-ids.ts';
import { type EntryForm, entryForm } from '../../kernel/entries/write/entry-form.ts';
import type { EntryPlace } from '../../kernel/entries/write/part.ts';
import { isSystemCallError } from '../../kernel/sys/errno.ts';
import type { FdTable } from '../../kernel/sys/fd.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { EntryChoice } from '../../model/schema/entry.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { Position } from './position.ts';
import type { JobSpec, OpenMap } from './protocol.ts';

/** A map that is being read: its reader, and how its entries are written. */
export interface Reading extends OpenReader {
  readonly form: EntryForm;
  /** Where the entry at hand lies; moved along by whoever goes through them. */
  readonly place: EntryPlace;
  /** Writes lines faster than `form` does, where it can. */
  readonly lines: CompiledLines | undefined;
}

/** What opening a reading needs beside the map. */
export interface Readings {
  readonly possibleCpus: number;
  readonly fds: FdTable;
  /** Memory for code, which whoever runs the job takes back when it has ended. */
  readonly takeArena: TakeArena;
}

/**
 * Prepares to read a map from a position of the kernel's; with code of its own where each entry is a line.
 *
 * @throws PinfoldError not_readable, not_supported, invalid_input
 */
export function beginReading(
  { map, choice }: Pick<JobSpec, 'map' | 'choice'>,
  { possibleCpus, fds, takeArena }: Readings,
  position: Omit<Position, 'skip'> = { kernel: undefined },
  asLines = false,
): Reading {
  const shape = shapeOf(map.info, possibleCpus);
  const form = entryForm(shape, choice, btfFinder(fds));
  const memory = { takeArena, textBytes: limits.dumpChunkBytes };
  const lines = asLines ? compiledLines(shape, form.lineCode(), memory) : undefined;
  const allocate = lines === undefined ? undefined : (size: number): Buffer => lines.allocate(size);
  const { kernel: from, before } = position;
  if (before !== undefined && shape.consistency !== 'per_bucket') throw new PinfoldError('bad_cursor');
  const range = { ...(from === undefined ? {} : { from }), ...(before === undefined ? {} : { before }) };
  const opened = openReader(mapFd(map), shape, range, allocate);
  const { keys, values } = opened.reader;
  return { ...opened, form, lines, place: { keys, keyAt: 0, values, valueAt: 0 } };
}

/** Reads on; the buffers may have been replaced by larger ones. */
export function readOn({ reader, place, shape }: Reading, atMost: number): number {
  const count = naming(shape.info, () => reader.read(atMost));
  place.keys = reader.keys;
  place.values = reader.values;
  return count;
}

/** Where a reading stands, each time it is asked; the reader goes on in the same memory. */
export function positions({ reader }: Reading, { before }: Pick<Position, 'before'>): () => Position {
  const end = before === undefined ? {} : { before };
  return () => {
    const { position } = reader;
    return { kernel: position === undefined ? undefined : Buffer.from(position), skip: 0, ...end };
  };
}

/** Goes to an entry of what was read last. */
export function standAt({ place, shape }: Reading, index: number): void {
  place.keyAt = index * shape.keySize;
  place.valueAt = index * shape.wireSize;
}

/** Finds the types of maps by their BTF's id, each once. */
export function btfFinder(fds: FdTable): (info: MapInfo) => ReturnType<typeof readBtfById> | undefined {
  let known: ReturnType<typeof readBtfById> | undefined;
  return (info) => {
    const id = typeIdsOf(info).btf;
    if (id !== undefined) known ??= readBtfById(id, fds);
    return known;
  };
}

/** The descriptor of an open map, as system calls take it. */
export function mapFd({ fd }: OpenMap): MapFd {
  return { number: fd };
}

/**
 * Runs system calls on a map; those the kernel refuses become sentences.
 *
 * @throws PinfoldError permission_denied, not_supported, out_of_memory
 */
export function naming<Result>({ id, type }: MapInfo, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (!isSystemCallError(error)) throw error;
    const { syscall, errno } = error;
    const details = { kind: 'map', id, map_type: type, syscall, errno };
    switch (errno) {
      case 'EPERM':
      case 'EACCES':
        throw refusal('permission_denied', `The kernel does not let map ${id} be read.`, details);
      case 'ENOMEM':
        throw refusal('out_of_memory', `The kernel had no memory to read map ${id}.`, details);
      case 'ENOTSUPP':
      case 'EOPNOTSUPP':
      case 'EINVAL':
        throw refusal('not_supported', `This kernel cannot read map ${id} (${type}) that way.`, details);
      default:
        throw error;
    }
  }
}

function refusal(
  code: 'permission_denied' | 'out_of_memory' | 'not_supported',
  detail: string,
  details: object,
): PinfoldError {
  return new PinfoldError(code, { detail, ...details });
}

/** Inside of a map that is written typed, others are, by types of their own. */
export const innerChoice: EntryChoice = { format: 'typed' };
