import type { Kernel } from '../../kernel/kernel.ts';
import type { Counters } from '../../model/hazard.ts';
import { type ObjectKind, objectKinds } from '../../model/kind.ts';
import type { ObjectInfo } from '../../model/schema/object.ts';
import type { ObjectEntry, ObjectInventory } from '../inventory/objects.ts';
import type { Pace } from './pace.ts';

/** What a look at the objects found different from what is known. */
export interface ObjectFindings {
  readonly appeared: readonly DescribedObject[];
  readonly gone: readonly ObjectEntry[];
  /** The same objects, described anew. */
  readonly refreshed: readonly DescribedObject[];
  /** Whether that is all that differs; the rest is for the next look. */
  readonly isComplete: boolean;
}

/** An object as the kernel described it. */
export interface DescribedObject {
  readonly kind: ObjectKind;
  readonly id: number;
  readonly info: ObjectInfo;
  readonly fingerprint: string;
}

/** Ids in ascending order. */
type Ids = readonly number[] | Uint32Array;

/** How much of the objects is looked at. */
export interface ObjectDepth {
  /** All that are alive, so that what is gone is seen; otherwise only ids after the highest known one. */
  readonly all: boolean;
  /** Describe those that are known, too: some of what is told of an object changes while it lives. */
  readonly describeKnown: boolean;
  /** Asked before each object that is new: what is left then is for the next look. Never, unless told. */
  readonly isOver?: () => boolean;
}

/** Objects that are gone, to be told after one look; each takes some 0.1 ms to be written. */
const goneMax = 2000;

/**
 * Finds which objects appeared and which are gone.
 *
 * New ids are beyond the highest one seen (ids are given out cyclically: kernel/bpf/syscall.c,
 * idr_alloc_cyclic), which BPF_*_GET_NEXT_ID tells in a microsecond. What is gone, and new ids after the
 * wrap at 2^31, show only in a look at all of them: by the counter iterators, or id by id where this kernel
 * has none. An id that was freed and given out again between two looks would need 2^31 objects made in
 * between; a pin of it shows the new fingerprint at once.
 */
export class ObjectSurvey {
  readonly #kernel: Kernel;
  readonly #objects: ObjectInventory;
  readonly #highest = new Map<ObjectKind, number>();
  /** What the inventory was compared with; while nothing moves the kernel's reader gives the same map. */
  readonly #compared = new Map<ObjectKind, ReadonlyMap<number, Counters>>();
  /** Kinds with objects that a look has left to the next. */
  readonly #behind = new Set<ObjectKind>();

  constructor(kernel: Kernel, objects: ObjectInventory) {
    this.#kernel = kernel;
    this.#objects = objects;
  }

  /** Whether an object was made since the last look. */
  hasNew(): boolean {
    return objectKinds.some(
      (kind) => this.#kernel.objects.nextId(kind, this.#highest.get(kind) ?? 0) !== undefined,
    );
  }

  /** Has all objects compared again: what was found at the last look has not been written. */
  forget(): void {
    this.#compared.clear();
  }

  /** Looks, in slices. `seen` are objects described already in this pass, by `kind:id`. */
  async look(
    depth: ObjectDepth,
    seen: ReadonlyMap<string, DescribedObject>,
    pace: Pace,
  ): Promise<ObjectFindings> {
    const findings: Findings = { appeared: new Map(), gone: [], refreshed: [] };
    for (const object of seen.values()) this.#compare(object, findings);
    for (const kind of objectKinds) {
      const isAll = depth.all || this.#behind.has(kind);
      const ids = isAll ? this.#listAlive(kind, depth.describeKnown) : this.#listNew(kind);
      if (ids === 'unchanged') continue;
      this.#behind.delete(kind);
      const known = this.#objects.ids(kind).items();
      if (isAll) this.#lose(kind, without(known, ids), { findings, depth });
      const wanted = depth.describeKnown ? ids : [...without(ids, known)];
      for (const id of wanted) {
        if (seen.has(`${kind}:${id}`)) continue;
        if (depth.isOver?.() === true) {
          this.#behind.add(kind);
          break;
        }
        const described = this.#kernel.objects.describe(kind, id);
        if (described !== undefined) this.#compare({ kind, id, ...described }, findings);
        await pace.restIfOver();
      }
    }
    const { appeared, gone, refreshed } = findings;
    return { appeared: [...appeared.values()], gone, refreshed, isComplete: this.#behind.size === 0 };
  }

  /** Notes what is gone, as much of it as one look may tell. */
  #lose(
    kind: ObjectKind,
    ids: Iterable<number>,
    { findings, depth }: { readonly findings: Findings; readonly depth: ObjectDepth },
  ): void {
    for (const id of ids) {
      if (findings.gone.length >= goneMax && depth.isOver !== undefined) {
        this.#behind.add(kind);
        return;
      }
      const entry = this.#objects.find(kind, id);
      if (entry !== undefined) findings.gone.push(entry);
    }
  }

  #compare(object: DescribedObject, findings: Findings): void {
    const known = this.#objects.find(object.kind, object.id);
    if (known?.fingerprint === object.fingerprint) {
      findings.refreshed.push(object);
      return;
    }
    if (known !== undefined) findings.gone.push(known);
    findings.appeared.set(`${object.kind}:${object.id}`, object);
  }

  #listNew(kind: ObjectKind): readonly number[] {
    return this.#walkIds(kind, this.#highest.get(kind) ?? 0);
  }

  /** Every id, or that they are those of the last look, which costs nothing but the kernel's pass. */
  #listAlive(kind: ObjectKind, evenIfUnchanged: boolean): Ids | 'unchanged' {
    if (kind === 'btf' || this.#kernel.counters.unavailable(kind) !== undefined)
      return this.#walkIds(kind, 0);
    const counters = this.#kernel.counters.readAll(kind);
    const isSame = counters === this.#compared.get(kind) && !this.#behind.has(kind);
    if (isSame && !evenIfUnchanged) return 'unchanged';
    this.#compared.set(kind, counters);
    this.#objects.setCounters(kind, counters);
    this.#note(kind, counters.ids.at(-1) ?? 0);
    return counters.ids;
  }

  #walkIds(kind: ObjectKind, after: number): readonly number[] {
    const { objects } = this.#kernel;
    const ids: number[] = [];
    for (let id = objects.nextId(kind, after); id !== undefined; id = objects.nextId(kind, id)) {
      this.#note(kind, id);
      if (!objects.isOwn(kind, id)) ids.push(id);
    }
    return ids;
  }

  #note(kind: ObjectKind, id: number): void {
    this.#highest.set(kind, Math.max(id, this.#highest.get(kind) ?? 0));
  }
}

/** What a look has found so far; new objects by `kind:id`. */
interface Findings {
  readonly appeared: Map<string, DescribedObject>;
  readonly gone: ObjectEntry[];
  readonly refreshed: DescribedObject[];
}

/** Those of the first list that are not in the second. */
function* without(ids: Ids, others: Ids): Iterable<number> {
  let at = 0;
  for (const id of ids) {
    while (at < others.length && (others[at] ?? 0) < id) at++;
    if (others[at] !== id) yield id;
  }
}
