import type { KernelBtf } from '../btf/kernel-btf.ts';
import type { Calls } from '../sys/calls.ts';
import {
  learnMapHolds,
  learnProgramHolds,
  type MapChoice,
  mapHoldsProgram,
  mapHoldsRecord,
  programHoldsProgram,
  programHoldsRecord,
  usedMapsMax,
} from './hold-programs.ts';
import { Iterator } from './iterator.ts';
import type { OwnObjects } from './own.ts';
import { whyNoIterator } from './why-not.ts';

/** What a map holds of itself. */
export interface MapHolds {
  readonly id: number;
  /** Of enum bpf_map_type. */
  readonly type: number;
  /** BPF_F_*, as the map was made. */
  readonly flags: number;
  readonly maxEntries: number;
  /** 0 where it has none. */
  readonly btfId: number;
  /** Open files and pinned inodes; undefined where this kernel has no iterators. */
  readonly userCount: number | undefined;
}

/** What a program holds of itself. */
export interface ProgramHolds {
  readonly id: number;
  /** Of enum bpf_prog_type. */
  readonly type: number;
  /** 0 where it has none. */
  readonly btfId: number;
  /**
   * The program it was loaded to replace or to trace, until a link takes that over; 0 where there is none.
   */
  readonly targetId: number;
  readonly mapIds: readonly number[];
  /** How many maps it uses beyond those listed. */
  readonly unlistedMaps: number;
}

/**
 * What every map and every program holds, in one pass each and without opening any.
 *
 * The links of the two iterators stay open, on nothing but their own programs.
 */
export class HoldLists implements Disposable {
  readonly #own: OwnObjects;
  #maps: Iterator | undefined;
  #nearMaps: Iterator | undefined;
  #programs: Iterator | undefined;
  readonly unavailable: string | undefined;

  constructor(calls: Calls, kernel: KernelBtf, own: OwnObjects) {
    this.#own = own;
    try {
      if ('missing' in kernel) throw new RangeError(kernel.missing);
      const maps = learnMapHolds(kernel.btf);
      const programs = learnProgramHolds(kernel.btf);
      const ofMaps = { name: 'pinfold_types', instructions: mapHoldsProgram(maps) };
      this.#maps = this.#keep(new Iterator({ ...ofMaps, functionId: maps.functionId }, calls));
      const ofNear = { name: 'pinfold_near', instructions: mapHoldsProgram(maps, 'near') };
      this.#nearMaps = this.#keep(new Iterator({ ...ofNear, functionId: maps.functionId }, calls));
      const ofPrograms = { name: 'pinfold_uses', instructions: programHoldsProgram(programs) };
      this.#programs = this.#keep(new Iterator({ ...ofPrograms, functionId: programs.functionId }, calls));
    } catch (error) {
      this.unavailable = whyNoIterator(error, 'iterators over programs need Linux 5.9');
      this[Symbol.dispose]();
    }
  }

  /**
   * Every map but our own, or of those only what MapChoice says.
   * @throws SystemCallError; a RangeError where `unavailable` says why
   */
  readMaps(choice: MapChoice = 'all'): readonly MapHolds[] {
    const { size, id, type, btf, flags, maxEntries, userCount } = mapHoldsRecord;
    const bytes = this.#read(choice === 'all' ? this.#maps : this.#nearMaps);
    const maps: MapHolds[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      const map = {
        id: bytes.readUInt32LE(at + id),
        type: bytes.readUInt32LE(at + type),
        flags: bytes.readUInt32LE(at + flags),
        maxEntries: bytes.readUInt32LE(at + maxEntries),
        btfId: bytes.readUInt32LE(at + btf),
        userCount: bytes.readUInt32LE(at + userCount),
      };
      if (!this.#own.has('map', map.id)) maps.push(map);
    }
    return maps;
  }

  /** Every program but our own. @throws SystemCallError; a RangeError where `unavailable` says why */
  readPrograms(): readonly ProgramHolds[] {
    const bytes = this.#read(this.#programs);
    const programs: ProgramHolds[] = [];
    for (let at = 0; at < bytes.length; at += programHoldsRecord.size) {
      const program = parseProgram(bytes, at);
      if (!this.#own.has('program', program.id)) programs.push(program);
    }
    return programs;
  }

  [Symbol.dispose](): void {
    this.#maps?.[Symbol.dispose]();
    this.#nearMaps?.[Symbol.dispose]();
    this.#programs?.[Symbol.dispose]();
  }

  #read(iterator: Iterator | undefined): Buffer {
    if (iterator === undefined) throw new RangeError(this.unavailable ?? 'the iterators are closed');
    return iterator.readAll();
  }

  #keep(iterator: Iterator): Iterator {
    this.#own.add('program', iterator.programId);
    this.#own.add('link', iterator.linkId);
    return iterator;
  }
}

function parseProgram(bytes: Buffer, at: number): ProgramHolds {
  const record = programHoldsRecord;
  const u32 = (member: number): number => bytes.readUInt32LE(at + member);
  const mapCount = u32(record.mapCount);
  const listed = Math.min(mapCount, usedMapsMax);
  return {
    id: u32(record.id),
    type: u32(record.type),
    btfId: u32(record.btf),
    targetId: u32(record.target),
    mapIds: Array.from({ length: listed }, (_, index) => u32(record.maps + 4 * index)),
    unlistedMaps: mapCount - listed,
  };
}
