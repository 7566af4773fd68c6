import type { ObjectHoldFact } from '../../model/holder/facts.ts';
import { objectInfo, openObjectById } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { MapHolds, ProgramHolds } from '../iter/hold-lists.ts';
import type { MapChoice } from '../iter/hold-programs.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { HolderSources } from './sources.ts';

/** struct bpf_map_info and struct bpf_prog_info, as far as they are read where there are no iterators. */
const mapInfo = { size: 80, type: 0, maxEntries: 16, flags: 20, btfId: 64 } as const;
const programInfo = { size: 232, type: 0, nrMapIds: 52, mapIds: 56, btfId: 128 } as const;

/** More maps than any program has. */
const mapIdsMax = 1024;

/** What lists objects and opens them. */
type ObjectSources = Pick<HolderSources, 'lists' | 'objects' | 'calls'>;

/**
 * Every map with what it holds, or those of a choice at least; opened one by one where this kernel has no
 * iterators.
 */
export function readMapHolds(
  { lists, objects, calls }: ObjectSources,
  choice: MapChoice = 'all',
): readonly MapHolds[] {
  if (lists.unavailable === undefined) return lists.readMaps(choice);
  const maps: MapHolds[] = [];
  for (let id = objects.nextId('map', 0); id !== undefined; id = objects.nextId('map', id)) {
    try {
      using fd = openObjectById('map', id, calls.fds);
      const bytes = objectInfo(fd, new Struct(mapInfo.size));
      maps.push({
        id,
        type: bytes.readUInt32LE(mapInfo.type),
        flags: bytes.readUInt32LE(mapInfo.flags),
        maxEntries: bytes.readUInt32LE(mapInfo.maxEntries),
        btfId: bytes.length >= mapInfo.btfId + 4 ? bytes.readUInt32LE(mapInfo.btfId) : 0,
        userCount: undefined,
      });
    } catch (error) {
      if (!isSystemCallError(error, 'ENOENT')) throw error;
    }
  }
  return maps;
}

/** Every program with what it holds. */
export function readProgramHolds(sources: ObjectSources): readonly ProgramHolds[] {
  const { lists, objects } = sources;
  if (lists.unavailable === undefined) {
    const programs = lists.readPrograms();
    if (programs.every(({ unlistedMaps }) => unlistedMaps === 0)) return programs;
    return programs.flatMap((program) =>
      program.unlistedMaps === 0 ? program : (readProgram(sources, program.id) ?? []),
    );
  }
  const programs: ProgramHolds[] = [];
  for (let id = objects.nextId('program', 0); id !== undefined; id = objects.nextId('program', id)) {
    const program = readProgram(sources, id);
    if (program !== undefined) programs.push(program);
  }
  return programs;
}

function readProgram({ calls }: ObjectSources, id: number): ProgramHolds | undefined {
  try {
    using fd = openObjectById('program', id, calls.fds);
    const ids = Buffer.alloc(4 * mapIdsMax);
    const info = new Struct(programInfo.size)
      .u32(programInfo.nrMapIds, mapIdsMax)
      .pointer(programInfo.mapIds, ids);
    const bytes = objectInfo(fd, info);
    const count = Math.min(bytes.readUInt32LE(programInfo.nrMapIds), mapIdsMax);
    return {
      id,
      type: bytes.readUInt32LE(programInfo.type),
      btfId: bytes.length >= programInfo.btfId + 4 ? bytes.readUInt32LE(programInfo.btfId) : 0,
      targetId: 0,
      mapIds: Array.from({ length: count }, (_, index) => ids.readUInt32LE(4 * index)),
      unlistedMaps: 0,
    };
  } catch (error) {
    if (isSystemCallError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** What maps and programs hold of themselves, as facts. */
export function objectHolds(
  maps: readonly MapHolds[],
  programs: readonly ProgramHolds[],
): readonly ObjectHoldFact[] {
  const holds: ObjectHoldFact[] = [];
  for (const { id, btfId } of maps) {
    if (btfId === 0) continue;
    holds.push({ holder: { kind: 'map', id }, held: { kind: 'btf', id: btfId }, hold: 'types' });
  }
  for (const { id, btfId, targetId, mapIds } of programs) {
    const holder = { kind: 'program', id } as const;
    if (btfId !== 0) holds.push({ holder, held: { kind: 'btf', id: btfId }, hold: 'types' });
    if (targetId !== 0) holds.push({ holder, held: { kind: 'program', id: targetId }, hold: 'target' });
    for (const map of mapIds) holds.push({ holder, held: { kind: 'map', id: map }, hold: 'uses' });
  }
  return holds;
}
