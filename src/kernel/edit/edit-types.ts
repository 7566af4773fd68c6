import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { MapShape } from '../entries/map-shape.ts';
import { mapTypes, type ReadableType } from '../entries/map-types.ts';
import type { OwnerKind } from './owner-key.ts';

/** How the entries of a type are written and removed; a text is the reason why they are not. */
export interface EditRule {
  readonly put: true | string;
  readonly remove: true | string;
  /** Which batches the kernel has for it, by the commands that take plain bytes. */
  readonly batches?: 'both' | 'update';
  /** Whether a mode may be asked of the kernel; the others know `any` alone. */
  readonly modes?: false;
  /** Entries have no keys: one is added to the others. */
  readonly isKeyless?: true;
  /** Keys are slot numbers, so that one beyond the last is a wrong key and not a full map. */
  readonly hasSlots?: true;
  /** A value whose first number is 0 empties its slot, as removing does. */
  readonly isEmptiedByZero?: true;
  /** The key is a descriptor of this, whose storage the entry is. */
  readonly owner?: OwnerKind;
  /** What must be a descriptor, `at` bytes into a value that is written; it is an id where it is read. */
  readonly reference?:
    | { readonly kind: 'map' | 'program'; readonly at: number }
    | { readonly kind: 'socket'; readonly at: 0 };
}

const noSlotGoes = 'the slots of an array are always there; write zeros instead';
const hash: EditRule = { put: true, remove: true, batches: 'both' };
const array: EditRule = { put: true, remove: noSlotGoes, batches: 'update', hasSlots: true };
const programAt4 = { kind: 'program', at: 4 } as const;
const socket = { kind: 'socket', at: 0 } as const;
const slots: EditRule = { put: true, remove: true, hasSlots: true };
const sockets: EditRule = { ...slots, reference: socket };
const added: EditRule = {
  put: true,
  remove: 'its entries have no keys; what is in it goes when it is popped',
  isKeyless: true,
  modes: false,
};

const closed = (reason: string): EditRule => ({ put: reason, remove: reason });
const storage = (owner: OwnerKind): EditRule => ({ put: true, remove: true, owner });
const memory = closed('it is memory that processes map, and has no entries');

/** Every map type (tried on Linux 6.18); one that is not here is newer than this build. */
const rules: Readonly<Record<string, EditRule>> = {
  hash,
  lru_hash: hash,
  percpu_hash: hash,
  lru_percpu_hash: hash,
  hash_of_maps: { put: true, remove: true, reference: { kind: 'map', at: 0 } },
  array,
  percpu_array: array,
  array_of_maps: { ...slots, modes: false, reference: { kind: 'map', at: 0 } },
  prog_array: { ...slots, modes: false, reference: { kind: 'program', at: 0 } },
  lpm_trie: hash,
  stack_trace: { put: 'only programs write stacks', remove: true, hasSlots: true },
  devmap: { ...slots, isEmptiedByZero: true, reference: programAt4 },
  devmap_hash: { put: true, remove: true, reference: programAt4 },
  cpumap: { ...slots, isEmptiedByZero: true, reference: programAt4 },
  sockmap: sockets,
  sockhash: { put: true, remove: true, reference: socket },
  xskmap: sockets,
  reuseport_sockarray: sockets,
  cgroup_storage: { put: true, remove: 'an entry stays as long as its cgroup has the program', modes: false },
  percpu_cgroup_storage: {
    put: true,
    remove: 'an entry stays as long as its cgroup has the program',
    modes: false,
  },
  queue: added,
  stack: added,
  bloom_filter: { ...added, remove: 'a bloom filter forgets nothing' },
  struct_ops: closed('writing its value would register it with the kernel'),
  ringbuf: memory,
  user_ringbuf: memory,
  arena: memory,
  perf_event_array: closed('an event stays in it only as long as the descriptor it was put in by'),
  cgroup_array: closed('its slots take descriptors of cgroups, and cannot be read back'),
  sk_storage: storage('socket'),
  inode_storage: storage('inode'),
  task_storage: storage('task'),
  cgrp_storage: storage('cgroup'),
};

/** One map, as it is written. */
export interface Editing {
  readonly shape: MapShape;
  readonly rule: EditRule;
}

/**
 * How a map is written.
 *
 * @throws PinfoldError not_supported for a type that is newer than this build, or values beyond the limit
 */
export function editingOf(info: MapInfo, possibleCpus: number): Editing {
  const rule = rules[info.type];
  const details = { kind: 'map', id: info.id, map_type: info.type };
  if (rule === undefined) {
    const detail = `This build does not know how maps of type ${info.type} are written.`;
    throw new PinfoldError('not_supported', { detail, ...details });
  }
  const shape = shapeToWrite(info, rule, possibleCpus);
  if (shape.wireSize > limits.entryBytesMax) {
    const { entryBytesMax } = limits;
    const detail = `A value of map ${info.id} has ${shape.wireSize} bytes; ${entryBytesMax} can be written.`;
    throw new PinfoldError('not_supported', { detail, ...details });
  }
  return { shape, rule };
}

/** @throws PinfoldError not_editable */
export function assertEditable({ shape: { info }, rule }: Editing, what: 'put' | 'remove'): void {
  const reason = rule[what];
  if (reason === true) return;
  const verb = what === 'put' ? 'written' : 'removed';
  throw new PinfoldError('not_editable', {
    detail: `Entries of map ${info.id} (${info.type}) cannot be ${verb}: ${reason}.`,
    kind: 'map',
    id: info.id,
    map_type: info.type,
  });
}

/** Types whose entries cannot be listed can still be written. */
const unlisted: ReadableType = { way: 'keys', consistency: 'may_repeat' };

function shapeToWrite(info: MapInfo, rule: EditRule, cpus: number): MapShape {
  const type = mapTypes[info.type];
  const isListed = type !== undefined && !('code' in type);
  const readable = isListed ? type : unlisted;
  const cpuStride = readable.isPerCpu === true ? Math.ceil(info.value_size / 8) * 8 : undefined;
  return {
    ...readable,
    info,
    keySize: rule.isKeyless === true ? 0 : info.key_size,
    wireSize: cpuStride === undefined ? info.value_size : cpuStride * cpus,
    cpuStride,
    cpus,
    maxEntries: info.max_entries,
    ...(rule.hasSlots === true && !isListed ? { hasIndexKeys: true } : {}),
  };
}
