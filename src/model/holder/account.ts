import type { Counters } from '../hazard.ts';
import type { ObjectKind } from '../kind.ts';
import type { Holder } from './holders.ts';

/** What was found to hold an object, counted in references. */
export interface Account {
  /** Pinned inodes. */
  readonly pins: number;
  /** Open files, with what is mapped, and unlinked pins that are still open. */
  readonly fds: number;
  /** Programs that use it. */
  readonly programs: number;
  /** Slots of maps. */
  readonly maps: number;
  readonly links: number;
  /** Places that hold it without a link. */
  readonly attachments: number;
  /** Those of all the above that are user references of a map. */
  readonly users: number;
}

/** Counts holders by their sort. */
export function accountOf(holders: readonly Holder[]): Account {
  const account = { pins: 0, fds: 0, programs: 0, maps: 0, links: 0, attachments: 0, users: 0 };
  for (const holder of holders) {
    if (isUser(holder)) account.users++;
    switch (holder.by) {
      case 'pin':
        account.pins++;
        break;
      case 'inode':
      case 'file':
        account.fds++;
        break;
      case 'attachment':
        account.attachments++;
        break;
      case 'object':
        if (holder.hold.holder.kind === 'program') account.programs++;
        if (holder.hold.holder.kind === 'map') account.maps++;
        if (holder.hold.holder.kind === 'link') account.links++;
    }
  }
  return account;
}

/** Whether a holder of a map counts in its `usercnt` too (bpf_map_inc_with_uref in kernel/bpf/syscall.c). */
export function isUser(holder: Holder): boolean {
  if (holder.by === 'object') return holder.hold.isUser === true;
  return holder.by !== 'attachment';
}

/** References that the kernel counts and nobody shows. */
export interface Unexplained {
  /** User references: files and pins out of sight. Maps only, 0 for all else. */
  readonly users: number;
  /** All others: inside of the kernel. Of links these are all there are. */
  readonly kernel: number;
  /**
   * False where more was found than the kernel counts: something let go, or came, between the two readings.
   */
  readonly isSettled: boolean;
}

/**
 * Sets what was found against what the kernel counts.
 *
 * Undefined for programs: one attachment may be several references (a link to generic XDP is three: net/core
 * and the dispatcher hold the program too), so that a difference means nothing. BTF has no counter.
 */
export function unexplainedOf(
  kind: ObjectKind,
  account: Account,
  counters: Counters | undefined,
): Unexplained | undefined {
  if (counters === undefined || kind === 'program' || kind === 'btf') return undefined;
  const shown = shownBy(account);
  if (kind === 'link') return settle(0, Number(counters.refcnt) - shown);
  const { refcnt, usercnt = 0n } = counters;
  return settle(Number(usercnt) - account.users, Number(refcnt - usercnt) - (shown - account.users));
}

/**
 * Whether what was found is just what the kernel counts. Of a program that is more than can be asked for: a
 * place it is attached to may hold it several times.
 */
export function isExplained(kind: ObjectKind, account: Account, counters: Counters | undefined): boolean {
  if (counters === undefined) return false;
  if (kind === 'program') return Number(counters.refcnt) === shownBy(account);
  const unexplained = unexplainedOf(kind, account, counters);
  return unexplained?.isSettled === true && unexplained.users === 0 && unexplained.kernel === 0;
}

/** All references that were found. */
export function shownBy({ pins, fds, programs, maps, links, attachments }: Account): number {
  return pins + fds + programs + maps + links + attachments;
}

function settle(users: number, kernel: number): Unexplained {
  return { users: Math.max(users, 0), kernel: Math.max(kernel, 0), isSettled: users >= 0 && kernel >= 0 };
}
