import type { Writer } from '../../kernel/fanotify/reader.ts';
import { limits } from '../../model/limits.ts';

/** What somebody did to a name. */
export interface Heard {
  /** Of `nameMask`. */
  readonly mask: number;
  readonly writer: Writer;
}

/** How many passes remember what was heard, or that something was not: that one, and the next. */
export const passesMax = 2;

/**
 * What was heard of the names of one instance in this pass and the last one, limits.nameEventsMax things at
 * most. Where something was not heard, it knows of nothing until those passes are over.
 */
export class HeardNames {
  /** This pass first. */
  #passes: Map<string, Heard[]>[] = [new Map()];
  #count = 0;
  #deafFor = 0;

  /** Whether forgetting it loses nothing. */
  get isQuiet(): boolean {
    return this.#deafFor === 0 && this.#passes.every((pass) => pass.size === 0);
  }

  /** Another pass begins. */
  begin(): void {
    this.#passes = [new Map(), ...this.#passes].slice(0, passesMax);
    this.#count = 0;
    this.#deafFor = Math.max(0, this.#deafFor - 1);
  }

  add(name: string, heard: Heard): void {
    const [pass] = this.#passes;
    this.#count += 1;
    if (this.#count > limits.nameEventsMax) this.deafen();
    else pass?.set(name, [...(pass.get(name) ?? []), heard]);
  }

  /** Something was not heard. */
  deafen(): void {
    this.#passes = [new Map()];
    this.#deafFor = passesMax;
  }

  /** Everything that was heard of a name, oldest first. */
  of(name: string): readonly Heard[] {
    if (this.#deafFor > 0) return [];
    return this.#passes.toReversed().flatMap((pass) => pass.get(name) ?? []);
  }
}
