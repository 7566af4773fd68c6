import { type ObjectKind, objectKinds } from '../../model/kind.ts';

/** The objects Pinfold itself made to read the others with; no list, count or graph has them in it. */
export class OwnObjects {
  readonly #ids = new Map<ObjectKind, Set<number>>(objectKinds.map((kind) => [kind, new Set()]));

  add(kind: ObjectKind, id: number): void {
    this.#ids.get(kind)?.add(id);
  }

  has(kind: ObjectKind, id: number): boolean {
    return this.#ids.get(kind)?.has(id) ?? false;
  }
}
