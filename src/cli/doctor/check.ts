/** From harmless to broken. */
export const severities = ['ok', 'warn', 'fail'] as const;
/** How bad it is. */
export type Severity = (typeof severities)[number];

/** One thing that was looked at: what was found, and what to do about it. Texts are printable. */
export interface Check {
  readonly name: string;
  readonly severity: Severity;
  readonly finding: string;
  readonly advice?: string;
}

/** Everything is as it should be. */
export function ok(name: string, finding: string): Check {
  return { name, severity: 'ok', finding };
}

/** It works, but something is lost or unsafe. */
export function warn(name: string, finding: string, advice: string): Check {
  return { name, severity: 'warn', finding, advice };
}

/** Pinfold cannot work, or may not be trusted to, until this is mended. */
export function fail(name: string, finding: string, advice: string): Check {
  return { name, severity: 'fail', finding, advice };
}

/** Four or five octal digits, as ls and chmod say it. */
export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
