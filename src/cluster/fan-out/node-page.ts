import type { Readable } from 'node:stream';
import { errorCatalogue, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { isRecord } from '../../model/record.ts';
import type { Caller } from '../../model/role.ts';
import { type NodeCaller, type NodeTarget, unreachable } from '../node-call.ts';

/** A member of the fleet's answers: what the node said, and whose it is. */
export type FleetItem = Readonly<Record<string, unknown>> & { readonly node: string };

/** One page of one node's list. */
export interface NodePage {
  readonly items: readonly FleetItem[];
  readonly next: string | undefined;
}

/** A list that every node has, and who asks for it. */
export interface ListQuestion {
  /** `/v1/pins`. */
  readonly path: string;
  /** The filters, without limit and cursor. */
  readonly query: URLSearchParams;
  readonly caller: Caller;
  /** How long one node is waited for. */
  readonly deadlineMs: number;
}

/** Which part of a node's list. */
export interface NodeSlice {
  readonly limit: number;
  readonly after: string | undefined;
}

/**
 * Asks one node for a page of a list. What it answers is checked: a node that sends something else than a
 * page counts as one that did not answer.
 *
 * @throws PinfoldError node_unreachable; and what the node refuses about the question itself (400, 422),
 * which all others would refuse too
 */
export async function readNodePage(
  caller: NodeCaller,
  node: NodeTarget,
  question: ListQuestion,
  slice: NodeSlice & { readonly signal: AbortSignal },
): Promise<NodePage> {
  const query = new URLSearchParams(question.query);
  query.set('limit', String(slice.limit));
  if (slice.after !== undefined) query.set('cursor', slice.after);
  const signal = AbortSignal.any([slice.signal, AbortSignal.timeout(question.deadlineMs)]);
  const answer = await caller.call(node, {
    method: 'GET',
    target: `${question.path}?${query}`,
    caller: question.caller,
    headers: { accept: 'application/json' },
    signal,
  });
  const document = await readJson(node, answer.body, signal);
  if (answer.status !== 200) throw refusalOf(node, answer.status, document);
  return pageOf(node, document, slice.limit);
}

async function readJson(node: NodeTarget, body: Readable, signal: AbortSignal): Promise<unknown> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of body) {
      bytes += piece.length;
      if (bytes > limits.nodeAnswerBytesMax) {
        body.destroy();
        throw unreachable(node.name, `its answer has more than ${limits.nodeAnswerBytesMax} bytes.`);
      }
      pieces.push(piece);
    }
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (error) {
    if (error instanceof PinfoldError) throw error;
    if (signal.aborted) throw unreachable(node.name, 'it took too long.', error);
    const why = error instanceof SyntaxError ? 'its answer is not JSON.' : 'the connection broke.';
    throw unreachable(node.name, why, error);
  }
}

function pageOf(node: NodeTarget, document: unknown, limit: number): NodePage {
  if (!isRecord(document) || !Array.isArray(document['items'])) throw noPage(node);
  const { items, next_cursor: next } = document;
  const isNext = next === null || (typeof next === 'string' && next.length <= limits.cursorCharsMax);
  if (!Array.isArray(items) || items.length > limit || !isNext) throw noPage(node);
  return {
    items: items.map((item: unknown) => {
      if (!isRecord(item)) throw noPage(node);
      return { ...item, node: node.name };
    }),
    next: typeof next === 'string' ? next : undefined,
  };
}

function noPage(node: NodeTarget): PinfoldError {
  return unreachable(node.name, 'its answer is no page of a list.');
}

function refusalOf(node: NodeTarget, status: number, document: unknown): PinfoldError {
  const { code, detail, errors } = isRecord(document) ? document : {};
  const known = Object.hasOwn(errorCatalogue, String(code)) ? parseCode(String(code)) : undefined;
  const sentence = typeof detail === 'string' ? detail.slice(0, 500) : 'it does not say why.';
  if (known !== undefined && (status === 400 || status === 422)) {
    return new PinfoldError(known, { detail: sentence, ...(Array.isArray(errors) ? { errors } : {}) });
  }
  return unreachable(node.name, `it refused (${status} ${String(code ?? '').slice(0, 64)}): ${sentence}`);
}

function parseCode(code: string): keyof typeof errorCatalogue {
  return code as keyof typeof errorCatalogue;
}
