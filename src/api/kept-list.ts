import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Observed } from '../agent/agent.ts';
import { limits } from '../model/limits.ts';
import type { Parts } from './app.ts';
import { pageDocument, sendList } from './list.ts';
import { pageOf } from './page.ts';

/** As Fastify writes it. */
const jsonType = 'application/json; charset=utf-8';

/** A list with its text, as it is sent to those who ask for all of it. */
interface Kept<Item> {
  readonly of: Observed<readonly Item[]>;
  readonly text: string;
}

/**
 * Answers a short list, whose text is kept for as long as it is the same: of the same items, as the same
 * observation saw them. `read` gives another array whenever one of them has changed.
 *
 * @throws PinfoldError not_ready (from what it answers)
 */
export function keptList<Item>(
  parts: Parts,
  read: () => Observed<readonly Item[]>,
): (request: FastifyRequest, reply: FastifyReply) => unknown {
  let kept: Kept<Item> | undefined;
  const textOf = (of: Observed<readonly Item[]>): string => {
    if (kept?.of.value === of.value && kept.of.observedAt === of.observedAt) return kept.text;
    const { value, observedAt } = of;
    const document = pageDocument(value, { next_cursor: null, observedAt, total: value.length });
    kept = { of, text: JSON.stringify(document) };
    return kept.text;
  };
  return (request, reply) => {
    const isPlain = request.originalUrl === request.terms.url && request.media === 'application/json';
    if (isPlain && parts.agent.notReady() === undefined) {
      const all = read();
      if (all.value.length <= limits.pageItemsDefault) {
        reply.header('content-type', jsonType);
        return textOf(all);
      }
    }
    return sendList(parts, request, reply, (slice) => {
      const { value, observedAt } = read();
      return { value: pageOf(value, slice), observedAt };
    });
  };
}
