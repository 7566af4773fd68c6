import { limits } from '../../model/limits.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { Fields, textUpToNul } from './fields.ts';
import { typeName } from './names.ts';

/** What the kernel copies through the pointers of struct bpf_link_info. */
export interface LinkTexts {
  /** Tracepoint, iterator target, probed file or function. */
  readonly name?: string;
  readonly addrs?: readonly bigint[];
  readonly offsets?: readonly bigint[];
  readonly refCtrOffsets?: readonly bigint[];
  readonly cookies?: readonly bigint[];
}

/** struct bpf_link_info; see link-detail.ts for its members. */
const INFO_SIZE = 64;

/** PATH_MAX, the longest text there is behind these pointers. */
const TEXT_BYTES = 4096;

/** Where a type's pointer to a text and that text's length are. */
interface TextField {
  readonly pointer: number;
  readonly length: number;
}

const nameFields: Readonly<Record<string, TextField>> = {
  raw_tracepoint: { pointer: 16, length: 24 },
  iter: { pointer: 16, length: 24 },
  uprobe_multi: { pointer: 16, length: 48 },
};

/** Of the variants of perf_event, `event` has a number where the others have the pointer. */
const perfNameField: TextField = { pointer: 24, length: 32 };
const namedPerfTypes = ['uprobe', 'uretprobe', 'kprobe', 'kretprobe', 'tracepoint'];

type ListName = 'addrs' | 'offsets' | 'refCtrOffsets' | 'cookies';

/** Where a type's number of probed places is, and its pointers to lists of so many u64. */
interface ListFields {
  readonly count: number;
  readonly lists: readonly (readonly [name: ListName, pointer: number])[];
}

const listFields: Readonly<Record<string, ListFields>> = {
  kprobe_multi: {
    count: 24,
    lists: [
      ['addrs', 16],
      ['cookies', 40],
    ],
  },
  uprobe_multi: {
    count: 52,
    lists: [
      ['offsets', 24],
      ['refCtrOffsets', 32],
      ['cookies', 40],
    ],
  },
};

/** Asks a second time, with buffers for the texts and lists that the first answer says there are. */
export function readLinkTexts(fd: Fd, first: Buffer): LinkTexts {
  const fields = new Fields(first);
  const type = typeName('link', fields.u32(0) ?? 0);
  const nameField = type === 'perf_event' ? perfField(fields) : nameFields[type];
  const lists = listFields[type];
  return {
    ...(nameField === undefined ? {} : readName(fd, nameField)),
    ...(lists === undefined ? {} : readLists(fd, lists, fields.u32(lists.count) ?? 0)),
  };
}

function perfField(fields: Fields): TextField | undefined {
  return namedPerfTypes.includes(typeName('perf', fields.u32(16) ?? 0)) ? perfNameField : undefined;
}

/**
 * A text longer than any path is cut by the kernel, which then says ENOSPC; what it has copied still counts.
 */
function readName(fd: Fd, field: TextField): LinkTexts {
  const text = Buffer.alloc(TEXT_BYTES);
  const info = new Struct(INFO_SIZE).pointer(field.pointer, text).u32(field.length, text.length);
  try {
    objectInfo(fd, info);
  } catch (error) {
    if (!isSystemCallError(error, 'ENOSPC')) throw error;
  }
  return { name: textUpToNul(text) };
}

/**
 * A kernel that knows a type but not its newest list refuses the request (E2BIG); then there are no lists.
 */
function readLists(fd: Fd, { count: countAt, lists }: ListFields, count: number): LinkTexts {
  if (count === 0 || count > limits.objectListMax) return {};
  const buffers = lists.map(([name, pointer]) => ({ name, pointer, bytes: Buffer.alloc(8 * count) }));
  const info = new Struct(INFO_SIZE).u32(countAt, count);
  for (const { pointer, bytes } of buffers) info.pointer(pointer, bytes);
  try {
    objectInfo(fd, info);
  } catch (error) {
    if (isSystemCallError(error, 'E2BIG', 'EINVAL', 'ENOSPC')) return {};
    throw error;
  }
  return Object.fromEntries(buffers.map(({ name, bytes }) => [name, quads(bytes)]));
}

function quads(bytes: Buffer): bigint[] {
  return Array.from({ length: bytes.length / 8 }, (_, index) => bytes.readBigUInt64LE(8 * index));
}
