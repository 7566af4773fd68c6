import type { Counters } from '../hazard.ts';
import { accountOf, isUser, shownBy, unexplainedOf } from './account.ts';
import type { ObjectKey } from './facts.ts';
import { type Holder, type Holders, keyOf, type PinnedInode } from './holders.ts';

/** What is needed to tell who would live on. */
export interface LifeParts {
  readonly holders: Holders;
  /** The kernel's counters; undefined where they are not known. */
  readonly countersOf: (object: ObjectKey) => Counters | undefined;
  /** A map's or program's type, such as `prog_array`. */
  readonly typeOf: (object: ObjectKey) => string | undefined;
}

/** Which of some objects would live, were a pin not there. */
export interface Survivors {
  /** Held by something that is seen, or counted by the kernel as held. */
  readonly alive: ReadonlySet<string>;
  /** Those, and objects of which it cannot be told what else holds them. */
  readonly perhaps: ReadonlySet<string>;
}

/**
 * What the kernel counts more than is seen: user references, only others, or something that may or may not be
 * a holder (of a program), or may or may not be there (where its counters cannot be read).
 */
type Surplus = 'users' | 'kernel' | 'unclear' | 'none';

/**
 * Follows who holds whom from what needs no holder itself (pins, open files, attachments, what the kernel
 * counts and nobody shows) down to the objects.
 *
 * Two that hold only each other die, as they do in the kernel: the slots of a prog_array hold its programs
 * only as long as it has a user reference (kernel/bpf/arraymap.c, prog_array_map_clear).
 */
export class Survival {
  readonly #parts: LifeParts;
  readonly #objects: readonly ObjectKey[];
  /** For each object, what it holds. */
  readonly #below = new Map<string, { readonly held: ObjectKey; readonly holder: Holder }[]>();
  readonly #surplus = new Map<string, Surplus>();

  /** `objects` must have all their holders among them. */
  constructor(parts: LifeParts, objects: readonly ObjectKey[]) {
    this.#parts = parts;
    this.#objects = objects;
    for (const held of objects) {
      for (const holder of parts.holders.of(held)) {
        if (holder.by !== 'object') continue;
        const key = keyOf(holder.hold.holder);
        const others = this.#below.get(key);
        if (others === undefined) this.#below.set(key, [{ held, holder }]);
        else others.push({ held, holder });
      }
      this.#surplus.set(keyOf(held), this.#surplusOf(held));
    }
  }

  /** Who lives; without a pin, or as it is now. */
  without(pin?: PinnedInode): Survivors {
    const isCounted = (key: string): boolean => ['users', 'kernel'].includes(this.#surplus.get(key) ?? '');
    const alive = this.#spread(pin, isCounted);
    const hasUnclear = this.#objects.some((object) => this.#surplus.get(keyOf(object)) === 'unclear');
    return {
      alive,
      perhaps: hasUnclear ? this.#spread(pin, (key) => this.#surplus.get(key) !== 'none') : alive,
    };
  }

  /** Whether a prog_array would keep its slots: it has a user reference besides that of a pin. */
  hasUsers(object: ObjectKey, without?: PinnedInode): boolean {
    if (this.#surplus.get(keyOf(object)) === 'users') return true;
    return this.#parts.holders.of(object).some((holder) => isUser(holder) && !isPin(holder, without));
  }

  #spread(without: PinnedInode | undefined, isHeldUnseen: (key: string) => boolean): ReadonlySet<string> {
    const alive = new Set<string>();
    const next: ObjectKey[] = [];
    const live = (object: ObjectKey): void => {
      if (alive.has(keyOf(object))) return;
      alive.add(keyOf(object));
      next.push(object);
    };
    for (const object of this.#objects) {
      const isRoot = (holder: Holder): boolean => holder.by !== 'object' && !isPin(holder, without);
      if (isHeldUnseen(keyOf(object)) || this.#parts.holders.of(object).some(isRoot)) live(object);
    }
    for (const object of next) {
      const isEmptied = this.#parts.typeOf(object) === 'prog_array' && !this.hasUsers(object, without);
      for (const { held, holder } of this.#below.get(keyOf(object)) ?? []) {
        const isSlot = holder.by === 'object' && holder.hold.hold === 'slot';
        if (!isSlot || !isEmptied) live(held);
      }
    }
    return alive;
  }

  #surplusOf(object: ObjectKey): Surplus {
    const counters = this.#parts.countersOf(object);
    const account = accountOf(this.#parts.holders.of(object));
    const unexplained = unexplainedOf(object.kind, account, counters);
    if (unexplained !== undefined && unexplained.users > 0) return 'users';
    if (unexplained !== undefined) return unexplained.kernel > 0 ? 'kernel' : 'none';
    if (object.kind === 'btf') return 'none';
    if (counters === undefined) return 'unclear';
    const surplus = Number(counters.refcnt) - shownBy(account);
    return surplus > this.#xdpSurplus(object) ? 'unclear' : 'none';
  }

  /** A link to generic XDP is three references: its own, the device's and the dispatcher's. */
  #xdpSurplus(program: ObjectKey): number {
    const links = this.#parts.holders.of(program).filter((holder) => {
      if (holder.by === 'attachment') return holder.attachment.kind === 'xdp';
      return holder.by === 'object' && holder.hold.holder.kind === 'link' && this.#isXdp(holder.hold.holder);
    });
    return 2 * links.length;
  }

  #isXdp(link: ObjectKey): boolean {
    return this.#parts.holders.attachmentsOfLink(link.id).some(({ kind }) => kind === 'xdp');
  }
}

function isPin(holder: Holder, pin: PinnedInode | undefined): boolean {
  return (
    pin !== undefined &&
    holder.by === 'pin' &&
    holder.pin.mount === pin.mount &&
    holder.pin.inode === pin.inode
  );
}
