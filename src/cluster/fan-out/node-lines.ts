import { isUtf8 } from 'node:buffer';
import { isRecord } from '../../model/record.ts';
import type { NodeCaller, NodeTarget } from '../node-call.ts';
import { isNextCursor, type ListQuestion, type NodeSlice, noPage, readNodeAnswer } from './node-answer.ts';

/** A part of one node's list as lines of JSON, each an item that says whose it is. */
export interface NodeLines {
  /** UTF-8; every line ends with a line feed. */
  readonly lines: Buffer;
  readonly count: number;
  readonly next: string | undefined;
}

/**
 * Asks one node for a part of a list, to be handed on as it came. Every line is read, so that a node that
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
  if (!isUtf8(bytes)) throw noPage(node);
  // One character for each byte: nothing is decoded, and all that JSON is built of is ASCII.
  const lines = bytes.toString('latin1').split('\n');
  const end = lines.pop();
  const summary = lines.pop();
  if (end !== '' || summary === undefined || lines.length > slice.limit) throw noPage(node);
  const ending = `,"node":${JSON.stringify(node.name)}}\n`;
  let text = '';
  for (const line of lines) text += labelled(node, line, ending);
  return {
    lines: Buffer.from(text, 'latin1'),
    count: lines.length,
    next: nextOf(node, summary, { ...slice, count: lines.length }),
  };
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
