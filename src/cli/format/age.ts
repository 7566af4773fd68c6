const units = [
  ['y', 365 * 86_400],
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/**
 * Seconds as people compare ages: `45s`, `12m`, `3h20m`, `5d`, `2y40d`; two units only where one would be
 * coarse.
 */
export function formatAge(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const at = Math.max(
    0,
    units.findIndex(([, size]) => whole >= size),
  );
  const [unit, size] = units[whole === 0 ? units.length - 1 : at] ?? ['s', 1];
  const count = Math.floor(whole / size);
  const next = units[at + 1];
  if (next === undefined || count >= 10 || whole < 120) return whole < 120 ? `${whole}s` : `${count}${unit}`;
  const rest = Math.floor((whole - count * size) / next[1]);
  return rest === 0 ? `${count}${unit}` : `${count}${unit}${rest}${next[0]}`;
}

/** How long ago a time of the API was; what lies in the future (a clock was set) is `0s`. */
export function ageOf(time: string, now: Date): string {
  return formatAge((now.getTime() - Date.parse(time)) / 1000);
}
