import { statSync } from 'node:fs';
import { deviceText } from '../../kernel/bpffs/inode.ts';
import type { BpffsMount, BpffsRoot, Kernel, OpenName } from '../../kernel/kernel.ts';
import type { Fd } from '../../kernel/sys/fd.ts';
import { isPinfoldError } from '../../model/error.ts';
import { type Counters, type Hazard, hazardSentences, hazardsOf, type Loss } from '../../model/hazard.ts';
import type { ObjectKind, PinnableKind } from '../../model/kind.ts';
import type { LeaveOptions, LeaveReport } from '../../model/local.ts';
import { escapeBytes, stagingName } from '../../model/path.ts';
import { lowestCount } from '../operation/lowest-count.ts';

type Kept = LeaveReport['kept'][number];

/** One instance with its staging directory open. */
interface Staging {
  readonly kernel: Kernel;
  readonly root: BpffsRoot;
  readonly directory: Fd;
  readonly uuid: string | undefined;
  readonly options: LeaveOptions;
}

/** Which agent leaves, and how. */
export interface Leaver {
  readonly uuid: string | undefined;
  /** `--bpffs`, the agent's own instance. */
  readonly bpffs: string;
  readonly options: LeaveOptions;
  /** Entries that would be restored in place of released; those of a dry run. */
  readonly restoring: ReadonlySet<string>;
}

/**
 * Releases every staged pin of this agent in every instance that can be reached. What may not be released is
 * listed with the reason. A staging directory that is then empty is removed where it is surely this agent's:
 * in its own instance, and where an entry of it was. Elsewhere it may be the marker of another agent.
 *
 * @throws PinfoldError staging_unsafe, mount_unavailable, overloaded
 */
export function releaseStaging(kernel: Kernel, leaver: Leaver): Omit<LeaveReport, 'restored'> {
  const own = statSync(leaver.bpffs, { bigint: true, throwIfNoEntry: false })?.dev;
  const ownId = own === undefined ? undefined : deviceText(own);
  const reports = kernel.bpffs
    .scanMounts()
    .filter((mount) => mount.reachableBy !== undefined)
    .map((mount) => releaseIn(kernel, mount, { ...leaver, isOwn: mount.id === ownId }));
  return {
    released: reports.flatMap((report) => report.released),
    kept: reports.flatMap((report) => report.kept),
    removedStaging: reports.some((report) => report.removedStaging),
  };
}

function releaseIn(
  kernel: Kernel,
  mount: BpffsMount,
  leaver: Leaver & { readonly isOwn: boolean },
): Omit<LeaveReport, 'restored'> {
  const { uuid, options, isOwn, restoring } = leaver;
  using root = kernel.bpffs.openRoot(mount);
  using directory = openStaging(kernel, root, isOwn);
  const released: string[] = [];
  const kept: Kept[] = [];
  if (directory === undefined) return { released, kept, removedStaging: false };
  const names = kernel.bpffs.readDirectory(directory).map((entry) => entry.name);
  const entries = names.filter((name) => !restoring.has(name));
  const isConcerned = isOwn || (uuid !== undefined && entries.some((name) => name.startsWith(`${uuid}-`)));
  if (!isConcerned) return { released, kept, removedStaging: false };
  kernel.bpffs.lockStaging(directory);
  for (const entry of entries) {
    const name = `${mount.id} ${stagingName}/${escapeBytes(entry)}`;
    const why = releaseEntry({ kernel, root, directory, uuid, options }, entry);
    if (why === undefined) released.push(name);
    else kept.push({ name, ...why });
  }
  const isEmpty = kept.length === 0;
  if (isEmpty && !options.dryRun) kernel.calls.rmdirat({ directory: root.directory, name: stagingName });
  return { released, kept, removedStaging: isEmpty };
}

/** In other instances somebody else's unsafe directory is none of our business. */
function openStaging(kernel: Kernel, root: BpffsRoot, isOwn: boolean): Fd | undefined {
  try {
    return kernel.bpffs.openStaging(root, false);
  } catch (error) {
    if (!isOwn && isPinfoldError(error)) return undefined;
    throw error;
  }
}

/** Undefined when the entry is gone (or would be), otherwise why it stays. */
function releaseEntry(staging: Staging, name: string): Omit<Kept, 'name'> | undefined {
  const { kernel, root, directory, uuid, options } = staging;
  if (uuid === undefined) return { reason: 'no state directory says whose it is', hazards: [] };
  if (!name.startsWith(`${uuid}-`)) return { reason: 'it belongs to another agent', hazards: [] };
  using open = kernel.bpffs.openName(root, { directory, name });
  if (open === undefined) return undefined;
  if (open.type !== 'file') return { reason: 'it is not a pin', hazards: [] };
  const hazards = costOf(kernel, open).filter((hazard) => !options.accept.has(hazard));
  if (hazards.length > 0) {
    return { reason: hazards.map((hazard) => hazardSentences[hazard]).join('; '), hazards };
  }
  if (!options.dryRun) kernel.calls.unlinkat({ directory, name });
  return undefined;
}

/**
 * What removing this name would cost, from the kernel's counters, without who has the object open in passing;
 * where they can't be read, whatever it might.
 */
function costOf(kernel: Kernel, pin: OpenName): readonly Hazard[] {
  const { kind, id, type, isAttached } = identify(kernel, pin);
  if (!isPinnable(kind) || pin.links > 1) return [];
  const attachment = isAttached === undefined ? {} : { isAttached };
  const lossOf = (counters: Counters): Loss => ({ kind, type, counters, ours: 0, going: 1, ...attachment });
  const isCounted = kernel.counters.unavailable(kind) === undefined;
  const read = isCounted ? lowestCount(() => kernel.counters.readOne(kind, id), lossOf) : undefined;
  return hazardsOf(lossOf(read ?? { refcnt: 1n, usercnt: 1n }));
}

function identify(
  kernel: Kernel,
  pin: OpenName,
): {
  readonly kind: ObjectKind;
  readonly id: number;
  readonly type: string;
  readonly isAttached: boolean | undefined;
} {
  using held = kernel.objects.holdPinned(pin.fd);
  const { kind, id, info } = held;
  return { kind, id, type: info.type, isAttached: info.kind === 'link' ? info.is_attached : undefined };
}

function isPinnable(kind: ObjectKind): kind is PinnableKind {
  return kind !== 'btf';
}
