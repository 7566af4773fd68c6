import { mapTypes } from '../../kernel/entries/map-types.ts';
import type { EntryFormat } from '../../model/schema/entry.ts';
import type { JobSpec } from './protocol.ts';

/** Characters that one byte of an entry is written with at most; of types it depends on their names. */
const charactersPerByte: Readonly<Record<EntryFormat, number>> = { raw: 2, bpftool: 7, typed: 8 };

/** A stream has an entry's text once, in memory that doubles when it is full. */
const copiesOfStream = 2;

/** What answers at once has it in the thread, in pieces, and as one. */
const copiesOfAnswer = 4;

/**
 * Bytes that a job may take at one time for the longest entry of its map, estimated: the entry itself and its
 * text. What comes to a piece or less is part of what every job takes.
 */
export function memoryOf({ map, choice, task, possibleCpus }: Omit<JobSpec, 'bounds'>): number {
  const { key_size: keySize, value_size: valueSize } = map.info;
  const type = mapTypes[map.info.type];
  const isPerCpu = type !== undefined && 'isPerCpu' in type;
  const entry = keySize + (isPerCpu ? Math.ceil(valueSize / 8) * 8 * possibleCpus : valueSize);
  const copies = task.kind === 'stream' ? copiesOfStream : copiesOfAnswer;
  const hasTypes = map.info.btf_value_type_id !== undefined || choice.valueAs !== undefined;
  const format = choice.format ?? (hasTypes ? 'typed' : 'raw');
  return entry * (1 + charactersPerByte[format] * copies);
}
