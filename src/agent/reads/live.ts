import type { HeldObject, Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { ObjectKind } from '../../model/kind.ts';
import type { PinPath } from '../../model/path.ts';
import type { ObjectDocument } from '../../model/schema/object.ts';
import type { PinDocument } from '../../model/schema/pin.ts';
import type { HolderReads, MountChoice, Observed } from '../agent.ts';
import { type HeldBy, objectDocument } from '../inventory/documents.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { pinnedObjectOf } from '../operation/holds.ts';
import type { ChangeSink, MountFinder } from '../operation/sink.ts';
import { factsOf } from '../operation/site.ts';
import type { WhyNoCounters } from './list-objects.ts';

/** What reading one thing from the kernel needs. */
export interface LiveParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly mounts: MountFinder;
  readonly sink: ChangeSink;
  readonly whyNoCounters: WhyNoCounters;
  readonly holders: HolderReads;
}

/** Reads a pin: this is BPF_OBJ_GET for a manager. Everything is closed when it returns. */
export function readPin(parts: LiveParts, path: PinPath, mount: MountChoice): Observed<PinDocument> {
  const { kernel, mounts, sink } = parts;
  const observedAt = parts.clock.now();
  using root = kernel.bpffs.openRoot(mounts.findMount(mount));
  using open = kernel.bpffs.openPin(root, path);
  using held = kernel.objects.holdPinned(open.fd);
  const inode = factsOf(open);
  const { instance } = root;
  const annotations = sink.annotationsOf({ instance, inode: inode.inode, mtimeNs: String(inode.mtimeNs) });
  const pin = { mount: root.mount, instance, path, inode, object: pinnedObjectOf(held), annotations };
  return { value: sink.documentOf(pin), observedAt };
}

/**
 * Reads an object and its counters. @throws PinfoldError object_not_found, not_supported with `--pins-only`
 */
export function readObject(parts: LiveParts, kind: ObjectKind, id: number): Observed<ObjectDocument> {
  const { kernel, inventory } = parts;
  const observedAt = parts.clock.now();
  const read = kernel.objects.isOwn(kind, id) ? undefined : readEitherWay(parts, kind, id);
  if (read === undefined) {
    throw new PinfoldError('object_not_found', { detail: `There is no ${kind} with id ${id}.`, kind, id });
  }
  const { described, heldBy } = read;
  const known = inventory.objects.find(kind, id);
  const isKnown = known?.fingerprint === described.fingerprint;
  const entry = { kind, id, ...described, firstSeen: isKnown ? known.firstSeen : observedAt.toISOString() };
  if (isKnown) inventory.objects.set(entry);
  const document = objectDocument(entry, inventory, heldBy);
  const references = { ...document.references, ...parts.holders.referencesOf({ kind, id }) };
  return { value: withTarget(kernel, { ...document, references }), observedAt };
}

/** A link to a cgroup with the cgroup's path, which may change and is therefore never remembered. */
function withTarget(kernel: Kernel, document: ObjectDocument): ObjectDocument {
  if (document.kind !== 'link' || document.cgroup_id === undefined) return document;
  const path = kernel.cgroups.pathOf(BigInt(document.cgroup_id));
  return path === undefined ? document : { ...document, cgroup_path: path };
}

/** Undefined where it is gone. A map that may not be opened is read without. */
function readEitherWay(parts: LiveParts, kind: ObjectKind, id: number) {
  try {
    return readOnce(parts, kind, id);
  } catch (error) {
    if (!isPinfoldError(error, 'not_readable')) throw error;
    const described = parts.kernel.objects.describe(kind, id);
    return described && { described, heldBy: countedUnopened(parts, kind, id) };
  }
}

function countedUnopened({ kernel, whyNoCounters }: LiveParts, kind: ObjectKind, id: number): HeldBy {
  const unavailable = whyNoCounters(kind);
  if (unavailable !== undefined || kind === 'btf') return { unavailable: unavailable ?? '' };
  const counters = kernel.counters.readOne(kind, id);
  return counters === undefined ? { unavailable: 'it went away meanwhile' } : { counters };
}

/** What it is and how it is counted, by opening it once. */
function readOnce(parts: LiveParts, kind: ObjectKind, id: number) {
  try {
    using held = parts.kernel.objects.holdById(kind, id);
    const { info, fingerprint } = held;
    const heldBy = readHolders(parts, held);
    return heldBy && { described: { info, fingerprint }, heldBy };
  } catch (error) {
    if (isPinfoldError(error, 'object_not_found')) return undefined;
    throw error;
  }
}

/** Its counters but for the descriptor it is held by. Undefined where the kernel does not show it. */
function readHolders({ kernel, whyNoCounters }: LiveParts, { kind, id, fd }: HeldObject): HeldBy | undefined {
  const unavailable = whyNoCounters(kind);
  if (unavailable !== undefined || kind === 'btf') return { unavailable: unavailable ?? '' };
  const read = kernel.counters.readOne(kind, id, fd);
  if (read === undefined) return undefined;
  const { refcnt, usercnt } = read;
  const others = usercnt === undefined ? {} : { usercnt: usercnt - 1n };
  return { counters: { ...read, refcnt: refcnt - 1n, ...others } };
}
