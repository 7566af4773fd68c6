import { existsSync, readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { Clock } from '../model/clock.ts';

/** The time of this machine, as a process without a kernel of its own reads it. */
export const processClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  bootMs: () => uptime() * 1000,
};

/** Pinfold's own version: package.json lies two folders above the sources, three above what is built. */
export function readVersion(): string {
  const file = ['../../package.json', '../../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .find(existsSync);
  const { version } = JSON.parse(file === undefined ? '{}' : readFileSync(file, 'utf8'));
  return String(version);
}

/** A file as UTF-8. @throws the error of the system */
export function readText(file: string): string {
  return readFileSync(file, 'utf8');
}
