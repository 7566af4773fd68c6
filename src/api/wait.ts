import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { WaitQuestion, Waits } from '../agent/agent.ts';
import { parseDurationMs } from '../model/duration.ts';
import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import { oneOf } from '../model/schema/common.ts';
import { type WaitCondition, type WaitDocument, waitConditions } from '../model/schema/wait.ts';

/** The query members that make a read of one pin a wait. */
export const waitQuery = {
  for: Type.Optional(oneOf(waitConditions)),
  wait: Type.Optional(
    Type.String({
      description:
        `at most so long, ${limits.waitMsDefault / 1000}s unless told, ` +
        `up to ${limits.waitMsMax / 60_000}m`,
    }),
  ),
  since: Type.Optional(
    Type.Integer({ minimum: 0, description: '`for=changed`: changes after this event count' }),
  ),
};

interface WaitQuery {
  readonly for?: WaitCondition;
  readonly wait?: string;
  readonly since?: number;
}

/** What such a query asks for; undefined where it is no wait. @throws PinfoldError invalid_input */
export function parseWait(
  query: WaitQuery,
): Pick<WaitQuestion, 'wanted' | 'timeoutMs' | 'since'> | undefined {
  const { for: wanted, wait, since } = query;
  if (wanted === undefined) {
    if (wait !== undefined) throw invalid('wait', 'wait goes with for, which says what is waited for.');
    if (since !== undefined) throw invalid('since', 'since goes with for=changed.');
    return undefined;
  }
  if (since !== undefined && wanted !== 'changed') throw invalid('since', 'since goes with for=changed.');
  const timeoutMs = wait === undefined ? limits.waitMsDefault : parseDurationMs(wait);
  if (timeoutMs === undefined || timeoutMs > limits.waitMsMax) {
    throw invalid('wait', `wait takes a time such as 30s, at most ${limits.waitMsMax / 60_000}m.`);
  }
  return { wanted, timeoutMs, ...(since === undefined ? {} : { since }) };
}

/**
 * Waits, and answers how it ended. The connection may be silent for as long as that takes; when it goes, so
 * does the waiter.
 */
export async function sendWait(
  waits: Waits,
  question: WaitQuestion,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<WaitDocument> {
  const controller = new AbortController();
  // An answer closes too: aborting then, in vain, would cost as much as everything else about it.
  const onClose = (): void => controller.abort();
  reply.raw.once('close', onClose);
  // Node takes its own time again when the next request comes.
  request.raw.socket.setTimeout(question.timeoutMs + limits.connectionTimeoutMs);
  const etags = request.headers['if-none-match'];
  try {
    return await waits.wait({ ...question, etags }, controller.signal);
  } finally {
    reply.raw.off('close', onClose);
  }
}

function invalid(member: string, detail: string): PinfoldError {
  return new PinfoldError('invalid_input', { detail, errors: [{ pointer: `/query/${member}`, detail }] });
}
