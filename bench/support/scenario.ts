/** One measured pair: what Pinfold took, what the other side took, and what was hoped for. */
export interface Figure {
  readonly name: string;
  readonly ours: number;
  readonly theirs: number | undefined;
  readonly unit: string;
  /** How many times better than the other side, or the plain value where there is no other side. */
  readonly result: number;
  readonly target: string;
  readonly isMet: boolean;
}

/** A benchmark: sets up its own world, measures both sides in turn, leaves nothing. */
export interface Scenario {
  readonly name: string;
  run(): Promise<readonly Figure[]>;
}

/** Middle of the sorted values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new RangeError('nothing was measured');
  return middle;
}

/** Runs the sides in turn, after one warm-up of each; milliseconds of every round. */
export async function inTurn(
  sides: readonly (() => Promise<void> | void)[],
  rounds: number,
): Promise<readonly (readonly number[])[]> {
  const times: number[][] = sides.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [index, side] of sides.entries()) {
      const from = performance.now();
      await side();
      if (round >= 0) times[index]?.push(performance.now() - from);
    }
  }
  return times;
}

/** A figure where less is better on both sides: how many times faster ours is. */
export function faster(
  name: string,
  ours: readonly number[],
  theirs: readonly number[],
  target: number,
): Figure {
  const result = median(theirs) / median(ours);
  return {
    name,
    ours: median(ours),
    theirs: median(theirs),
    unit: 'ms',
    result,
    target: `>= ${target}x faster`,
    isMet: result >= target,
  };
}

/** A figure that must stay below a bound. */
export function below(name: string, value: number, bound: number, unit: string): Figure {
  return {
    name,
    ours: value,
    theirs: undefined,
    unit,
    result: value,
    target: `<= ${bound} ${unit}`,
    isMet: value <= bound,
  };
}

/** A figure that nothing is asked of: what others are to be seen against. */
export function told(name: string, value: number, unit: string): Figure {
  return { name, ours: value, theirs: undefined, unit, result: value, target: 'none', isMet: true };
}
