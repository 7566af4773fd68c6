import type { HeldObject } from '../../kernel/kernel.ts';
import type { PinPath } from '../../model/path.ts';
import type { Attributes } from '../journal/plan.ts';
import type { MayDrop, Say } from './move.ts';
import type { Annotations, PinnedObject, PinState } from './sink.ts';
import { isInode, type Site } from './site.ts';
import { Subject } from './subject.ts';

/** A pin that is to be made, as it will appear under its name. */
export interface NewPin {
  readonly path: PinPath;
  readonly slot: string;
  readonly object: PinnedObject;
  readonly attributes: Attributes;
  readonly annotations: Annotations;
}

/** A new pin in its slot: made there with its final permissions, so that its name appears complete. */
export class StagedPin {
  readonly spec: NewPin;
  readonly subject: Subject;
  readonly #site: Site;

  constructor(site: Site, spec: NewPin, held: HeldObject | undefined) {
    this.#site = site;
    this.spec = spec;
    this.subject = new Subject(
      { object: spec.object, held },
      { attributes: spec.attributes, annotations: spec.annotations },
    );
  }

  /** BPF_OBJ_PIN into the slot; from then on the slot holds the object. */
  make(): void {
    const { held } = this.subject;
    if (held === undefined) throw new TypeError('a pin is made of an object that is held');
    this.#site.kernel.objects.pin(held, this.#site.slot(this.spec.slot));
  }

  /** Gives it its mode and owner; answers its state. */
  finish(say: Say): PinState {
    const { path, object, annotations, attributes, slot } = this.spec;
    const open = this.#site.openSlot(slot);
    this.#site.keepSlot(slot, open);
    const inode = this.#site.setAttributes(open, attributes);
    const { mount, instance } = this.#site;
    const state = { mount, instance, path, inode, object, annotations };
    this.subject.state = state;
    say('attributes_set');
    return state;
  }

  /** The slot's inode has got its name: what it is now. */
  named(): void {
    const { slot, path } = this.spec;
    using open = this.#site.takeSlot(slot);
    const inode = open === undefined ? this.#site.inodeAtPath(path) : this.#site.kernel.bpffs.stat(open.fd);
    if (isInode(inode, this.subject.state)) this.subject.update({ inode });
  }

  /** Takes the slot's name away again, where it may: the object is then held by whatever held it before. */
  discard(mayDrop: MayDrop): void {
    if (mayDrop(this.spec.object)) this.#site.unlinkSlot(this.spec.slot, this.spec.path);
  }
}
