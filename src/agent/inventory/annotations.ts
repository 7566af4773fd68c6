import type { PinIdentity } from '../../model/store.ts';
import type { Annotations } from '../operation/sink.ts';

/** What is stored of a pin nobody has said anything about. */
export const noAnnotations: Annotations = { labels: {}, owner: null, managed: false };

/**
 * What Pinfold stored about pins, by inode. Only those that say something are kept.
 *
 * The key leaves the marker of the instance out: the staging directory appears with the first operation,
 * and an inode number with its mtime is not used twice while this kernel runs (one counter for all
 * instances).
 */
export class AnnotationIndex {
  readonly #bootId: string;
  readonly #annotations = new Map<string, Annotations>();

  constructor(bootId: string) {
    this.#bootId = bootId;
  }

  get(pin: PinIdentity): Annotations {
    return this.#annotations.get(annotationKey(pin)) ?? noAnnotations;
  }

  set(pin: PinIdentity, annotations: Annotations): void {
    const { labels, owner, managed } = annotations;
    const says = managed || owner !== null || Object.keys(labels).length > 0;
    if (says && bootOf(pin.instance) === this.#bootId) {
      this.#annotations.set(annotationKey(pin), { labels, owner, managed });
    } else this.remove(pin);
  }

  remove(pin: PinIdentity): void {
    this.#annotations.delete(annotationKey(pin));
  }
}

/** Whether two say the same; labels in another order count as different. */
export function isSameSaying(one: Annotations, other: Annotations): boolean {
  const said = ({ labels, owner, managed }: Annotations) => JSON.stringify([labels, owner, managed]);
  return one === other || said(one) === said(other);
}

/** The boot an instance belongs to; `BpffsRoot.instance` begins with it. */
export function bootOf(instance: string): string {
  return instance.slice(0, instance.indexOf('/'));
}

function annotationKey(pin: PinIdentity): string {
  return `${pin.instance.slice(0, pin.instance.lastIndexOf('/'))}/${pin.inode}@${pin.mtimeNs}`;
}
