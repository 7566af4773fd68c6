import type { Readable } from 'node:stream';
import { errorCatalogue, PinfoldError } from '../../model/error.ts';
import { nestsDeeper } from '../../model/json.ts';
import { limits } from '../../model/limits.ts';
import { isRecord } from '../../model/record.ts';
import type { Caller } from '../../model/role.ts';
import { withDeadline } from '../deadline.ts';
import { type NodeCaller, type NodeRequest, type NodeTarget, unreachable } from '../node-call.ts';

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
  readonly signal: AbortSignal;
}

/**
 * Asks one node for a part of a list, in one of the forms it has, and gives the whole answer as it came.
 *
 * @throws PinfoldError node_unreachable; and what the node refuses about the question itself (400, 422),
 * as all others would unless the node is an odd one
 */
export async function readNodeAnswer(
  caller: NodeCaller,
  node: NodeTarget,
  question: ListQuestion,
  slice: NodeSlice & { readonly accept: 'application/json' | 'application/x-ndjson' },
): Promise<Buffer> {
  const query = new URLSearchParams(question.query);
  query.set('limit', String(slice.limit));
  if (slice.after !== undefined) query.set('cursor', slice.after);
  const request = {
    method: 'GET',
    target: `${question.path}?${query}`,
    caller: question.caller,
    headers: { accept: slice.accept },
  };
  return await withDeadline(slice.signal, question.deadlineMs, (signal) =>
    askNode(caller, node, { ...request, signal }),
  );
}

/** Asks one node one thing, and gives its whole answer. @throws PinfoldError as `readNodeAnswer` */
export async function askNode(caller: NodeCaller, node: NodeTarget, request: NodeRequest): Promise<Buffer> {
  const answer = await caller.call(node, request);
  const bytes = await readWhole(node, answer.body, request.signal);
  if (answer.status !== 200) throw refusalOf(node, answer.status, parseNodeJson(node, bytes));
  return bytes;
}

/**
 * What a node sent, as JSON. What nests without end would run whoever writes it again out of stack, and one
 * node would keep all others' answers back.
 *
 * @throws PinfoldError node_unreachable
 */
export function parseNodeJson(node: Pick<NodeTarget, 'name'>, bytes: Buffer): unknown {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw unreachable(node.name, 'its answer is not JSON.', error);
  }
  if (!nestsDeeper(document, limits.jsonDepthMax)) return document;
  throw unreachable(node.name, 'its answer nests too deep.');
}

/**
 * Tells whether a node may have given this as the place where its list goes on, after so many items: where
 * there is more, there is something already, and it goes forward. Else a node could be asked for ever.
 */
export function isNextCursor(next: unknown, slice: NodeSlice, count: number): next is string | null {
  if (next === null) return true;
  const isPlace = typeof next === 'string' && next.length <= limits.cursorCharsMax;
  return isPlace && count > 0 && next !== slice.after;
}

/** For a node that answers something else than a part of a list. */
export function noPage(node: NodeTarget, cause?: unknown): PinfoldError {
  return unreachable(node.name, 'its answer is no page of a list.', cause);
}

/** All that a node sends. @throws PinfoldError node_unreachable where it breaks off, or is too much */
export async function readWhole(
  node: Pick<NodeTarget, 'name'>,
  body: Readable,
  signal: AbortSignal,
): Promise<Buffer> {
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
    const [whole] = pieces;
    return pieces.length === 1 && whole !== undefined ? whole : Buffer.concat(pieces, bytes);
  } catch (error) {
    if (error instanceof PinfoldError) throw error;
    throw unreachable(node.name, signal.aborted ? 'it took too long.' : 'the connection broke.', error);
  }
}

function refusalOf(node: NodeTarget, status: number, document: unknown): PinfoldError {
  const { code, detail, errors } = isRecord(document) ? document : {};
  const known = Object.hasOwn(errorCatalogue, String(code)) ? parseCode(String(code)) : undefined;
  const isOfQuestion = status === 400 || status === 422;
  const sentence = typeof detail === 'string' ? detail.slice(0, 500) : 'it does not say why.';
  if (known !== undefined && isOfQuestion && errorCatalogue[known].status === status) {
    return new PinfoldError(known, { detail: sentence, ...(Array.isArray(errors) ? { errors } : {}) });
  }
  return unreachable(node.name, `it refused (${status} ${String(code ?? '').slice(0, 64)}): ${sentence}`);
}

function parseCode(code: string): keyof typeof errorCatalogue {
  return code as keyof typeof errorCatalogue;
}
