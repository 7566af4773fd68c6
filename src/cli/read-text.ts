import { readFileSync } from 'node:fs';
import { escapeText } from '../model/escape.ts';
import { UsageError } from './exit.ts';

/** What a file named on the command line holds. @throws UsageError where it cannot be read, and why */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new UsageError(`${escapeText(file)} cannot be read (${why}).`);
  }
}
