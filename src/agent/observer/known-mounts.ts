import type { BpffsMount, InodeFacts } from '../../kernel/kernel.ts';
import type { NewEvent } from '../../model/schema/event.ts';
import type { MountDocument } from '../../model/schema/pin.ts';
import { modeText } from '../inventory/documents.ts';
import type { Origin } from '../inventory/recorder.ts';
import { compareBytes } from '../inventory/sorted-list.ts';

/** An instance that history has told of, with what the last look at its root showed. */
export interface KnownMount {
  readonly mount: BpffsMount;
  readonly instance: string;
  /** Undefined while nothing of it could be opened. */
  readonly root: InodeFacts | undefined;
}

/** The instances that are there, as documents and events show them. */
export class KnownMounts {
  readonly #known = new Map<string, KnownMount>();
  #primaryId: string | undefined;
  /** Made when somebody asks, for as long as nothing is noted. */
  #documents: readonly MountDocument[] | undefined;

  get primaryId(): string | undefined {
    return this.#primaryId;
  }

  set primaryId(id: string | undefined) {
    if (id === this.#primaryId) return;
    this.#primaryId = id;
    this.#documents = undefined;
  }

  has(id: string): boolean {
    return this.#known.has(id);
  }

  find(id: string): KnownMount | undefined {
    return this.#known.get(id);
  }

  set(known: KnownMount): void {
    this.#known.set(known.mount.id, known);
    this.#documents = undefined;
  }

  drop(id: string): void {
    this.#known.delete(id);
    this.#documents = undefined;
  }

  ids(): readonly string[] {
    return [...this.#known.keys()].sort(compareBytes);
  }

  documents(): readonly MountDocument[] {
    this.#documents ??= this.ids()
      .flatMap((id) => this.#known.get(id) ?? [])
      .map((known) => this.documentOf(known));
    return this.#documents;
  }

  documentOf({ mount, instance, root }: KnownMount): MountDocument {
    const isReachable = mount.reachableBy !== undefined;
    return {
      id: mount.id,
      instance,
      primary: mount.id === this.#primaryId,
      paths: [...mount.paths],
      ...(root === undefined ? {} : { mode: modeText(root.mode), uid: root.uid, gid: root.gid }),
      read_only: mount.readOnly,
      shadowed: mount.shadowed,
      reachable: isReachable,
      ...(isReachable ? {} : { unreachable_reason: mount.unreachableReason ?? 'no path leads to it' }),
    };
  }

  /** The event of an instance that came or went. */
  eventOf(type: 'mount.appeared' | 'mount.gone', known: KnownMount, { at, actor }: Origin): NewEvent {
    const document = { ...this.documentOf(known) };
    return {
      time: at,
      type,
      subject: { mount: known.mount.id },
      before: type === 'mount.gone' ? document : null,
      after: type === 'mount.appeared' ? document : null,
      actor,
    };
  }
}
