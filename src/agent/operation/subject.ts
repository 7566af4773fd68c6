import type { HeldObject, InodeFacts } from '../../kernel/kernel.ts';
import type { PinPath } from '../../model/path.ts';
import type { Attributes } from '../journal/plan.ts';
import type { Annotations, PinnedObject, PinState } from './sink.ts';

/** What a pin will be once all lines planned so far are done. */
export interface PlannedPin {
  readonly attributes: Attributes;
  readonly annotations: Annotations;
}

/**
 * One pin an operation works on. Lines of a batch that touch the same pin share one, so that a later line
 * sees what an earlier one did; a pin that is yet to be made has no state until it is staged.
 */
export class Subject {
  readonly object: PinnedObject;
  /** Absent during recovery, where a plan speaks of pins that nobody holds any more. */
  readonly held: HeldObject | undefined;
  /** What later lines of a batch start from; planning alone sets it. */
  planned: PlannedPin;
  #state: PinState | undefined;

  constructor(
    pin: { readonly object: PinnedObject; readonly held: HeldObject | undefined },
    planned: PlannedPin,
  ) {
    this.object = pin.object;
    this.held = pin.held;
    this.planned = planned;
  }

  /** A pin that is there. */
  static of(state: PinState, held: HeldObject | undefined): Subject {
    const { mode, uid, gid } = state.inode;
    const planned = { attributes: { mode, uid, gid }, annotations: state.annotations };
    const subject = new Subject({ object: state.object, held }, planned);
    subject.#state = state;
    return subject;
  }

  get state(): PinState | undefined {
    return this.#state;
  }

  set state(state: PinState | undefined) {
    this.#state = state;
  }

  /** The state, where the order of steps has made sure that there is one. */
  known(): PinState {
    if (this.#state === undefined)
      throw new TypeError(`${this.object.kind} ${this.object.id} is not staged yet`);
    return this.#state;
  }

  /** Notes what a step has changed; answers the new state. */
  update(change: { readonly path?: PinPath; readonly inode?: InodeFacts | undefined }): PinState {
    const state = this.known();
    this.#state = { ...state, path: change.path ?? state.path, inode: change.inode ?? state.inode };
    return this.#state;
  }
}
