import { readFileSync } from 'node:fs';

/** What may die around links without any BPF object changing. */
export interface Surroundings {
  /** Control groups of the hierarchy that has most of them. */
  readonly cgroups: number;
  /** Differs when a network device of this namespace or a control group came or went. */
  readonly mark: string;
}

/**
 * Reads what is around, from /proc alone: half a millisecond. Devices of other network namespaces are not
 * seen.
 */
export function readSurroundings(): Surroundings {
  const counts = columnOf(readText('/proc/cgroups'), 2).map(Number).filter(Number.isFinite);
  const devices = columnOf(readText('/proc/net/dev'), 0);
  return { cgroups: Math.max(0, ...counts), mark: [...counts, ...devices].join(' ') };
}

/** A column of a table, titles included; empty where the table cannot be read. */
function columnOf(table: string, column: number): readonly string[] {
  return table.split('\n').flatMap((line) => line.trim().split(/\s+/)[column] ?? []);
}

/** Where this kernel has no such file, there is nothing of it. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
