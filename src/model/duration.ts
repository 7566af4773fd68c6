const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `30s`, `5m`, `12h`, `30d` or `250ms`; undefined where the text is none of these. */
export function parseDurationMs(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  for (const [name, ms] of Object.entries(unitsMs)) {
    if (name === unit) return Number(digits) * ms;
  }
  return undefined;
}

/** A duration in the largest unit that loses nothing: `10m` for 600,000. */
export function durationText(ms: number): string {
  const [unit, size] = Object.entries(unitsMs).findLast(([, each]) => ms % each === 0 && ms >= each) ?? [
    'ms',
    1,
  ];
  return `${ms / size}${unit}`;
}
