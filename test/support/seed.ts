/** A small repeatable source of randomness; the same seed gives the same run on every machine. */
export interface Random {
  readonly seed: number;
  /** A number in [0, 1). */
  next(): number;
  /** An integer in [0, bound). */
  int(bound: number): number;
  /** One of the choices, which must not be empty. */
  pick<T>(choices: readonly T[]): T;
  /** `length` bytes. */
  bytes(length: number): Uint8Array;
}

/**
 * The seed of this run: PINFOLD_TEST_SEED, or a new one; printed, so that a failure can be repeated.
 *
 * Call it once a file, and pass the number on (fast-check takes it as `seed`).
 */
export function testSeed(): number {
  const given = process.env['PINFOLD_TEST_SEED'];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  if (!Number.isSafeInteger(seed)) throw new Error(`PINFOLD_TEST_SEED is not an integer: ${given}`);
  process.stdout.write(`PINFOLD_TEST_SEED=${seed}\n`);
  return seed;
}

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, enough to vary tests, not for secrets. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (bound: number): number => Math.floor(next() * bound);
  return {
    seed,
    next,
    int,
    pick: (choices) => {
      const choice = choices[int(choices.length)];
      if (choice === undefined) throw new Error('nothing to pick from');
      return choice;
    },
    bytes: (length) => Uint8Array.from({ length }, () => int(256)),
  };
}
