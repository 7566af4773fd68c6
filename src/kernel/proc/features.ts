import { objectKinds, type PinnableKind, pinnableKinds } from '../../model/kind.ts';
import type { Feature } from '../../model/schema/node.ts';
import { createMap, lookupFirstBatch } from '../bpf/create.ts';
import { nextObjectId, objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { KernelBtf } from '../btf/kernel-btf.ts';
import { proveEntryCount } from '../iter/entry-count.ts';
import type { CounterReader } from '../kernel.ts';
import { AT_FDCWD, type Calls, open, resolve } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { type HolderIteratorStates, holderIteratorFeatures, holderProbes } from './holder-features.ts';

const BPF_MAP_TYPE_ARRAY = 2;

/** What is lost without a feature, and the call that shows whether it is there: it throws where it is not. */
interface Probe {
  readonly name: string;
  readonly since: string;
  readonly lost: string;
  readonly prove: (calls: Calls) => void;
}

/**
 * Each is proved by doing it, on a small map of its own or on this process itself; versions prove nothing.
 */
const probes: readonly Probe[] = [
  {
    name: 'map_create',
    since: '3.18',
    lost: 'maps cannot be created',
    prove: (calls) => withMap(calls, () => {}),
  },
  {
    name: 'object_info',
    since: '4.13',
    lost: 'nothing can be told of an object',
    prove: (calls) => withMap(calls, (map) => objectInfo(map, new Struct(8))),
  },
  ...objectKinds.map(
    (kind): Probe => ({
      name: `${kind}_ids`,
      since: { map: '4.13', program: '4.13', link: '5.8', btf: '5.4' }[kind],
      lost: `${kind}s that are not pinned cannot be found`,
      prove: () => nextObjectId(kind, 0),
    }),
  ),
  {
    name: 'map_batch',
    since: '5.6',
    lost: 'maps are read one entry at a time',
    prove: (calls) => withMap(calls, (map) => lookupFirstBatch(map, batchBuffers(), 1)),
  },
  {
    name: 'openat2',
    since: '5.6',
    lost: 'paths cannot be resolved safely',
    prove: (calls) =>
      calls.openat2(root, { flags: open.PATH, resolve: resolve.NO_SYMLINKS }, '/')[Symbol.dispose](),
  },
  {
    name: 'pidfd_getfd',
    since: '5.6',
    lost: 'descriptors of other processes cannot be a source',
    prove: (calls) => {
      using pidfd = calls.pidfdOpen(process.pid);
      calls.pidfdGetfd(pidfd, pidfd.number)[Symbol.dispose]();
    },
  },
];

const root = { directory: AT_FDCWD, name: '/' } as const;

const iteratorSince: Readonly<Record<PinnableKind, string>> = { map: '5.8', program: '5.9', link: '5.19' };

/** The iterators whose loading has shown whether they can be had. */
export interface Iterators extends HolderIteratorStates {
  readonly counters: CounterReader;
}

/** What this kernel lets this process do. Takes about three milliseconds; leaves nothing behind. */
export function probeFeatures(calls: Calls, kernel: KernelBtf, iterators: Iterators): readonly Feature[] {
  const { counters } = iterators;
  return [
    ...probes.map((probe) => tryProbe(calls, probe)),
    btfFeature(kernel),
    ...pinnableKinds.map((kind) => counterFeature(counters, kind)),
    tryProbe(calls, entryCountProbe(kernel)),
    ...holderIteratorFeatures(iterators),
    ...holderProbes.map((probe) => tryProbe(calls, probe)),
  ];
}

function tryProbe(calls: Calls, { name, since, lost, prove }: Probe): Feature {
  try {
    prove(calls);
    return { name, since, available: true };
  } catch (error) {
    if (!isSystemCallError(error) && !(error instanceof RangeError)) throw error;
    return { name, since, available: false, reason: `${error.message}: ${lost}` };
  }
}

function btfFeature(kernel: KernelBtf): Feature {
  const feature = { name: 'kernel_btf', since: '5.4' };
  if (!('missing' in kernel)) return { ...feature, available: true };
  return {
    ...feature,
    available: false,
    reason: `${kernel.missing}: no program can be made that reads counters`,
  };
}

function counterFeature(counters: CounterReader, kind: PinnableKind): Feature {
  const reason = counters.unavailable(kind);
  const feature = { name: `${kind}_counters`, since: iteratorSince[kind] };
  if (reason === undefined) return { ...feature, available: true };
  return {
    ...feature,
    available: false,
    reason: `${reason}: changes that would free a ${kind} cannot be told`,
  };
}

function entryCountProbe(kernel: KernelBtf): Probe {
  return {
    name: 'map_entry_count',
    since: '6.6',
    lost: 'entries of hash maps are counted by reading them',
    prove: (calls) => {
      if ('missing' in kernel) throw new RangeError(kernel.missing);
      proveEntryCount(kernel.btf, calls);
    },
  };
}

function withMap(calls: Calls, use: (map: Fd) => void): void {
  const spec = { type: BPF_MAP_TYPE_ARRAY, name: 'pinfold_probe', keySize: 4, valueSize: 4, maxEntries: 1 };
  using map = createMap(spec, { fds: calls.fds });
  use(map);
}

function batchBuffers() {
  return { keys: Buffer.alloc(8), values: Buffer.alloc(8), cursor: Buffer.alloc(8) };
}
