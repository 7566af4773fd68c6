import { createInterface } from 'node:readline';
import type { Io } from './io.ts';

/** The arguments themselves, or with a single `-` the lines of standard input, empty ones left out. */
export async function* argumentsOrLines(
  io: Io,
  words: readonly string[],
): AsyncGenerator<string, void, undefined> {
  if (words.length !== 1 || words[0] !== '-') {
    yield* words;
    return;
  }
  for await (const line of createInterface({ input: io.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line !== '') yield line;
  }
}

/** All of a file, or of standard input for `-`, as text. */
export async function readAll(io: Io): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
