import { parseDocument } from 'yaml';
import { escapeText } from '../model/escape.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { readAll } from './read-lines.ts';
import { readText } from './read-text.ts';

/**
 * What a YAML or JSON file holds, or standard input for `-`; what it means is for others to judge.
 *
 * @throws UsageError where it cannot be read, or is neither
 */
export async function readDocument(io: Io, file: string): Promise<unknown> {
  const document = parseDocument(file === '-' ? await readAll(io) : readText(file));
  const [problem] = document.errors;
  if (problem !== undefined)
    throw new UsageError(`The file is neither YAML nor JSON: ${escapeText(sentenceOf(problem))}.`);
  return document.toJS();
}

/** What is wrong and where, without the picture of the place that follows on lines of its own. */
function sentenceOf({ message }: Error): string {
  const [line = ''] = message.split('\n');
  return line.replace(/[.:]$/, '');
}
