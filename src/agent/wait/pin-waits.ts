import { setImmediate as nextRound } from 'node:timers/promises';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { PinPath } from '../../model/path.ts';
import type { EventDocument } from '../../model/schema/event.ts';
import type { PinDocument } from '../../model/schema/pin.ts';
import type { WaitCondition, WaitDocument } from '../../model/schema/wait.ts';
import type { EventLog } from '../../model/store.ts';
import type { HolderReads, MountChoice, Reads, WaitQuestion, Waits } from '../agent.ts';
import { AttachedWatch } from './attached-watch.ts';
import { type Condition, conditionOf, hasEventSince, isPinAttached, type Sight } from './condition.ts';
import { pathsOf } from './names.ts';

/** What waiting stands on. */
export interface WaitParts {
  readonly reads: Pick<Reads, 'pin' | 'object'>;
  readonly holders: HolderReads;
  readonly events: EventLog;
  /** The instance that requests without a choice mean; undefined where none is mounted. */
  readonly primaryMount: () => string | undefined;
  readonly monotonicMs: () => number;
}

interface Waiter {
  readonly wanted: WaitCondition;
  readonly isMet: Condition;
  /** Its time is over: the next look answers it whatever it sees. */
  isDue: boolean;
  readonly answer: (answer: WaitDocument | PinfoldError) => void;
}

/** All who wait at one path of one instance. */
interface Group {
  readonly path: PinPath;
  readonly mount: MountChoice;
  readonly waiters: Set<Waiter>;
  isLookedAt: boolean;
}

/** Waiters that are answered in one round of the event loop. */
const answersARound = 100;

/** What says that a path holds no pin, whatever else it may hold. */
const noPinCodes = [
  'pin_not_found',
  'parent_not_found',
  'is_a_directory',
  'not_a_directory',
  'not_a_pin',
  'symlink',
  'crosses_mount',
] as const;

/** Everybody who waits for a pin, by path. An event has its path looked at, once for all who wait there. */
export class PinWaits implements Waits {
  readonly #parts: WaitParts;
  readonly #groups = new Map<string, Map<MountChoice, Group>>();
  readonly #attached: AttachedWatch;
  #count = 0;
  #isReleased = false;

  constructor(parts: WaitParts) {
    this.#parts = parts;
    this.#attached = new AttachedWatch(parts.monotonicMs, () => this.#lookAtAttached());
  }

  wait(question: WaitQuestion, signal: AbortSignal): Promise<WaitDocument> {
    return new Promise((resolve, reject) => {
      const { path, mount, wanted, timeoutMs } = question;
      if (this.#isReleased) throw stopping();
      const first = this.#look(path, mount);
      const isMet = this.#conditionOf(question, first);
      if (isMet(first) || timeoutMs === 0) return resolve(this.#documentOf(wanted, first, isMet(first)));
      if (this.#count >= limits.waitersMax) throw tooMany();
      const group = this.#groupOf(path, mount);
      const waiter: Waiter = {
        wanted,
        isMet,
        isDue: false,
        answer: (answer) => {
          if (!group.waiters.delete(waiter)) return;
          this.#leave(group, waiter);
          clearTimeout(timer);
          signal.removeEventListener('abort', onGone);
          if (answer instanceof PinfoldError) reject(answer);
          else resolve(answer);
        },
      };
      const timer = setTimeout(() => {
        waiter.isDue = true;
        this.#wake(group);
      }, timeoutMs);
      const onGone = (): void => waiter.answer(new PinfoldError('not_ready', { detail: 'Nobody waits.' }));
      signal.addEventListener('abort', onGone, { once: true });
      this.#enter(group, waiter);
    });
  }

  release(): void {
    this.#isReleased = true;
    for (const group of this.#all()) for (const waiter of [...group.waiters]) waiter.answer(stopping());
  }

  /** Has the paths looked at that committed events are about; all of them where an instance came or went. */
  note(events: readonly EventDocument[]): void {
    if (this.#count === 0) return;
    for (const event of events) {
      if (event.type.startsWith('mount.')) for (const group of this.#all()) this.#wake(group);
      else for (const path of pathsOf(event)) this.#wakeAt(path);
    }
  }

  #wakeAt(path: string): void {
    for (const group of this.#groups.get(path)?.values() ?? []) this.#wake(group);
  }

  /** Looks soon, and once, however many events ask for it. */
  #wake(group: Group): void {
    if (group.isLookedAt) return;
    group.isLookedAt = true;
    setImmediate(() => void this.#answer(group));
  }

  async #answer(group: Group): Promise<void> {
    group.isLookedAt = false;
    let round = 0;
    for (const [waiter, answer] of this.#decide(group)) {
      waiter.answer(answer);
      round += 1;
      if (round % answersARound === 0) await nextRound();
    }
  }

  /** Reads the pin and says who is answered what. What cannot be read is told to all. */
  #decide(group: Group): readonly (readonly [Waiter, WaitDocument | PinfoldError])[] {
    const waiters = [...group.waiters];
    try {
      const sight = this.#look(group.path, group.mount);
      const documentOf = this.#sharedDocuments(sight);
      return waiters.flatMap((waiter) => {
        const answer = this.#answerOf(waiter, sight, documentOf);
        return answer === undefined ? [] : [[waiter, answer] as const];
      });
    } catch (error) {
      if (!isPinfoldError(error)) throw error;
      return waiters.map((waiter) => [waiter, error] as const);
    }
  }

  /** Undefined for who waits on. One whose question makes no sense any more does not fail the others. */
  #answerOf(
    { wanted, isMet, isDue }: Waiter,
    sight: Sight,
    documentOf: (wanted: WaitCondition, met: boolean) => WaitDocument,
  ): WaitDocument | PinfoldError | undefined {
    try {
      const met = isMet(sight);
      return met || isDue ? documentOf(wanted, met) : undefined;
    } catch (error) {
      if (isPinfoldError(error)) return error;
      throw error;
    }
  }

  /** Thousands who wait for the same are told the same, and history is asked once. */
  #sharedDocuments(sight: Sight): (wanted: WaitCondition, met: boolean) => WaitDocument {
    const documents = new Map<string, WaitDocument>();
    return (wanted, met) => {
      const key = `${wanted} ${met}`;
      const document = documents.get(key) ?? this.#documentOf(wanted, sight, met);
      documents.set(key, document);
      return document;
    };
  }

  #documentOf(condition: WaitCondition, { pin }: Sight, met: boolean): WaitDocument {
    return { condition, met, pin, seq: this.#parts.events.lastSeq() };
  }

  #look(path: PinPath, mount: MountChoice): Sight {
    const pin = this.#findPin(path, mount);
    let isAttached: boolean | undefined;
    return {
      pin,
      isAttached: () => {
        isAttached ??= pin !== null && isPinAttached(pin, this.#parts);
        return isAttached;
      },
    };
  }

  #findPin(path: PinPath, mount: MountChoice): PinDocument | null {
    try {
      return this.#parts.reads.pin(path, mount).value;
    } catch (error) {
      if (isPinfoldError(error) && noPinCodes.some((code) => code === error.code)) return null;
      throw error;
    }
  }

  #conditionOf({ path, mount, wanted, etags, since }: WaitQuestion, first: Sight): Condition {
    const { events, primaryMount } = this.#parts;
    const at = { path, mount: mount ?? primaryMount() };
    const hasChanged = () => since !== undefined && hasEventSince(events, at, since);
    return conditionOf(wanted, hasChanged, { first, etags });
  }

  #groupOf(path: PinPath, mount: MountChoice): Group {
    const known = this.#groups.get(path)?.get(mount);
    if (known !== undefined) return known;
    const group = { path, mount, waiters: new Set<Waiter>(), isLookedAt: false };
    const groups = this.#groups.get(path) ?? new Map<MountChoice, Group>();
    this.#groups.set(path, groups.set(mount, group));
    return group;
  }

  #enter(group: Group, waiter: Waiter): void {
    group.waiters.add(waiter);
    this.#count++;
    if (waiter.wanted === 'attached') this.#attached.enter();
  }

  #leave(group: Group, waiter: Waiter): void {
    this.#count--;
    if (waiter.wanted === 'attached') this.#attached.leave();
    if (group.waiters.size > 0) return;
    const groups = this.#groups.get(group.path);
    groups?.delete(group.mount);
    if (groups?.size === 0) this.#groups.delete(group.path);
  }

  #lookAtAttached(): void {
    for (const group of this.#all()) {
      if ([...group.waiters].some(({ wanted }) => wanted === 'attached')) void this.#answer(group);
    }
  }

  #all(): readonly Group[] {
    return [...this.#groups.values()].flatMap((groups) => [...groups.values()]);
  }
}

function stopping(): PinfoldError {
  return new PinfoldError('not_ready', { detail: 'The agent is stopping.' });
}

function tooMany(): PinfoldError {
  return new PinfoldError('too_many_requests', {
    detail: `${limits.waitersMax} requests wait already.`,
    limit: 'waiters',
    retry_after: 1,
  });
}
