import { BatchReader } from './batch-reader.ts';
import type { Range } from './buckets.ts';
import { DistinctReader } from './distinct-reader.ts';
import { ElementReader } from './element-reader.ts';
import { canLookupBatch, type MapFd } from './elements.ts';
import type { MapShape } from './map-shape.ts';
import type { Allocate, EntryReader } from './reader.ts';

/** A reader, and the shape as this kernel really lets the map be read. */
export interface OpenReader {
  readonly shape: MapShape;
  readonly reader: EntryReader;
}

/**
 * Begins to read a map or a part of it, or goes on at a position of an earlier reader.
 *
 * The `bpf_map_elem` iterator would be a third faster than LOOKUP_BATCH, but between two of its reads it
 * stands in the middle of a bucket, and an entry that moves there meanwhile is missed or comes twice
 * (bpf_hash_map_seq_find_next counts entries it skips). That is not worth the time it saves.
 */
export function openReader(
  map: MapFd,
  known: MapShape,
  range: Range = {},
  allocate: Allocate = Buffer.allocUnsafeSlow,
): OpenReader {
  const { shape, reader } = openPlainReader(map, known, range, allocate);
  return { shape, reader: shape.consistency === 'may_repeat' ? new DistinctReader(reader, shape) : reader };
}

/** The same for who tells by itself what comes twice; reading a map that changes need not come to an end. */
export function openPlainReader(
  map: MapFd,
  known: MapShape,
  range: Range = {},
  allocate: Allocate = Buffer.allocUnsafeSlow,
): OpenReader {
  const shape = shapeHere(map, known);
  const reader =
    shape.way === 'batch'
      ? new BatchReader(map, shape, range, allocate)
      : new ElementReader(map, shape, range.from, allocate);
  return { shape, reader };
}

/** Before Linux 5.6 nothing has batches; per-CPU arrays and tries since 5.13, maps of maps since 5.19. */
function shapeHere(map: MapFd, shape: MapShape): MapShape {
  const { otherwise } = shape;
  if (otherwise === undefined || canLookupBatch(map)) return shape;
  return { ...shape, way: otherwise, consistency: otherwise === 'keys' ? 'may_repeat' : shape.consistency };
}
