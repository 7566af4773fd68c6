/** A value that is made anew only when something it was made from is another. */
export class Remembered<Value> {
  #last: { readonly from: readonly unknown[]; readonly value: Value } | undefined;

  /** What was made from just these before, each compared by identity; else what `make` gives now. */
  of(from: readonly unknown[], make: () => Value): Value {
    const isSame =
      this.#last?.from.length === from.length && this.#last.from.every((one, at) => one === from[at]);
    if (this.#last !== undefined && isSame) return this.#last.value;
    const value = make();
    this.#last = { from, value };
    return value;
  }
}
