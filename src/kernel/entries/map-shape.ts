import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import { mapTypes, type ReadableType } from './map-types.ts';

/** What reading the entries of one map must know of it. */
export interface MapShape extends ReadableType {
  readonly info: MapInfo;
  readonly keySize: number;
  /** Bytes of a value as the system call copies it; of all CPUs together. */
  readonly wireSize: number;
  /** Bytes from one CPU's value to the next; undefined where there is one value for all. */
  readonly cpuStride: number | undefined;
  readonly cpus: number;
  readonly maxEntries: number;
}

/** Values of these are descriptors to the kernel and ids to a reader (bpf_map_value_size, syscall.c). */
const idSize = 4;

/**
 * How a map is read.
 *
 * @throws PinfoldError not_readable or not_supported, with the reason of its type
 */
export function shapeOf(info: MapInfo, possibleCpus: number): MapShape {
  const type = mapTypes[info.type];
  const details = { kind: 'map', id: info.id, map_type: info.type };
  if (type === undefined || 'code' in type) {
    const reason = type?.reason ?? 'this build does not know the type';
    const detail = `The entries of map ${info.id} (${info.type}) cannot be read: ${reason}.`;
    throw new PinfoldError(type?.code ?? 'not_supported', { detail, ...details });
  }
  if (info.type === 'sockmap' || info.type === 'sockhash' || info.type === 'reuseport_sockarray') {
    if (info.value_size !== 8) {
      const detail = `Map ${info.id} has values of ${info.value_size} bytes; cookies of its sockets need 8.`;
      throw new PinfoldError('not_readable', { detail, ...details });
    }
  }
  const cpuStride = type.isPerCpu === true ? Math.ceil(info.value_size / 8) * 8 : undefined;
  const isFds = type.meaning === 'map' || type.meaning === 'program';
  const wireSize = isFds ? idSize : cpuStride === undefined ? info.value_size : cpuStride * possibleCpus;
  if (wireSize > limits.entryBytesMax) {
    const detail = `A value of map ${info.id} has ${wireSize} bytes; up to ${limits.entryBytesMax} are read.`;
    throw new PinfoldError('not_supported', { detail, ...details });
  }
  const { key_size: keySize, max_entries: maxEntries } = info;
  return { ...type, info, keySize, wireSize, cpuStride, cpus: possibleCpus, maxEntries };
}
