import { compileBpf, compileC } from './c-program.ts';
import { start } from './process.ts';

/** One object's counters as the kernel keeps them, without the reference that reading them takes. */
export interface Counters {
  readonly kind: 'map' | 'program' | 'link';
  readonly id: number;
  readonly refcnt: number;
  /** Only maps have it: pins plus open files. */
  readonly usercnt?: number;
}

/** A program of our oracles that samples the kernel's counters again and again. */
export interface CounterSampler extends Disposable {
  /** One pass over everything; look an object up with `counterKey`. */
  sample(): Promise<ReadonlyMap<string, Counters>>;
}

/** How a sample is keyed: `map:12`, `program:3`, `link:1`. */
export function counterKey(kind: Counters['kind'], id: number): string {
  return `${kind}:${id}`;
}

/**
 * Starts the sampler (clang, CO-RE and libbpf: nothing in common with src/kernel). Its own three programs and
 * three links show up in its samples; it holds no other object between samples.
 */
export function counterSampler(): CounterSampler {
  const child = start(compileC('counters'), [compileBpf('counters')]);
  let taken = 0;
  return {
    sample: async () => {
      child.write('');
      await child.line(/^$/, 30_000);
      const lines = child.lines.slice(taken, child.lines.indexOf('', taken));
      taken += lines.length + 1;
      const counters = lines.map((line) => JSON.parse(line) as Counters);
      return new Map(counters.map((counter) => [counterKey(counter.kind, counter.id), counter]));
    },
    [Symbol.dispose]: () => child[Symbol.dispose](),
  };
}

/** One sample, for tests that need no more. */
export async function readCounters(): Promise<ReadonlyMap<string, Counters>> {
  using sampler = counterSampler();
  return await sampler.sample();
}
