import { isUtf8 } from 'node:buffer';
import { isRecord } from '../../model/record.ts';
import type { NodeCaller, NodeTarget } from '../node-call.ts';
import { isNextCursor, type ListQuestion, type NodeSlice, noPage, readNodeAnswer } from './node-answer.ts';
import { isPlainLine } from './plain-line.ts';

/** A part of one node's list as lines of JSON, each an item that says whose it is. */
export interface NodeLines {
  /** UTF-8; every line ends with a line feed. */
  readonly lines: Buffer;
  readonly count: number;
  readonly next: string | undefined;
}

/**
 * Asks one node for a part of a list, to be handed on as it came. Every line is looked at, so that one that
 * sends something else counts as one that did not answer; but it is not written anew: the node's name goes
 * before the last brace.
 *
 * @throws PinfoldError as `readNodeAnswer`
 */
export async function readNodeLines(
  caller: NodeCaller,
  node: NodeTarget,
  question: ListQuestion,
  slice: NodeSlice,
): Promise<NodeLines> {
  const bytes = await readNodeAnswer(caller, node, question, { ...slice, accept: 'application/x-ndjson' });
  const end = bytes.lastIndexOf(lineFeed, -2) + 1;
  if (!isUtf8(bytes) || bytes.at(-1) !== lineFeed) throw noPage(node);
  const ends = endsOfLines(bytes, end, slice.limit);
  if (ends === undefined) throw noPage(node);
  const ending = `,"node":${JSON.stringify(node.name)}}\n`;
  const lines = labelledAsTheyAre(bytes, ends, ending) ?? labelledEach(node, bytes, ends, ending);
  const summary = bytes.toString('utf8', end, bytes.length - 1);
  return { lines, count: ends.length, next: nextOf(node, summary, { ...slice, count: ends.length }) };
}

const lineFeed = 0x0a;

/** Where each line before `end` ends; undefined for more than so many. */
function endsOfLines(bytes: Buffer, end: number, most: number): readonly number[] | undefined {
  const ends: number[] = [];
  for (let at = bytes.indexOf(lineFeed); at !== -1 && at < end; at = bytes.indexOf(lineFeed, at + 1)) {
    if (ends.length === most) return undefined;
    ends.push(at);
  }
  return ends;
}

/** All lines with the node's name, nothing parsed; undefined where one is not as nodes write them. */
function labelledAsTheyAre(bytes: Buffer, ends: readonly number[], ending: string): Buffer | undefined {
  const name = Buffer.from(ending);
  const out = Buffer.allocUnsafe((ends.at(-1) ?? -1) + 1 + ends.length * (name.length - 2));
  let begin = 0;
  let length = 0;
  for (const end of ends) {
    if (!isPlainLine(bytes, begin, end)) return undefined;
    length += bytes.copy(out, length, begin, end - 1);
    length += name.copy(out, length);
    begin = end + 1;
  }
  return out;
}

function labelledEach(node: NodeTarget, bytes: Buffer, ends: readonly number[], ending: string): Buffer {
  let text = '';
  let begin = 0;
  for (const end of ends) {
    // One character for each byte: nothing is decoded, and all that JSON is built of is ASCII.
    text += labelled(node, bytes.toString('latin1', begin, end), ending);
    begin = end + 1;
  }
  return Buffer.from(text, 'latin1');
}

/** The line with the node's name; what it says of a node itself does not count. */
function labelled(node: NodeTarget, line: string, ending: string): string {
  const item = parseLine(node, line);
  const isTight = line.startsWith('{"') && line.endsWith('}');
  if (isTight && !Object.hasOwn(item, 'node')) return line.slice(0, -1) + ending;
  const decoded = parseLine(node, Buffer.from(line, 'latin1').toString('utf8'));
  return Buffer.from(`${JSON.stringify({ ...decoded, node: node.name })}\n`).toString('latin1');
}

/** The last line says where the list goes on; an answer without it was cut. */
function nextOf(
  node: NodeTarget,
  line: string,
  slice: NodeSlice & { readonly count: number },
): string | undefined {
  const { summary } = parseLine(node, line);
  if (!isRecord(summary) || summary['count'] !== slice.count) throw noPage(node);
  const { next_cursor: next } = summary;
  if (!isNextCursor(next, slice, slice.count)) throw noPage(node);
  return next ?? undefined;
}

function parseLine(node: NodeTarget, line: string): Readonly<Record<string, unknown>> {
  let item: unknown;
  try {
    item = JSON.parse(line);
  } catch (error) {
    throw noPage(node, error);
  }
  if (isRecord(item)) return item;
  throw noPage(node);
}
