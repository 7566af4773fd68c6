import { Type } from 'typebox';
import type { ThenQuestion } from '../agent/agent.ts';
import { PinfoldError } from '../model/error.ts';
import { Time } from '../model/schema/common.ts';

/** The query member that makes a read of one pin a question about the past. */
export const thenQuery = {
  at: Type.Optional(
    Type.Union([Time, Type.String({ pattern: '^seq:\\d{1,15}$', examples: ['seq:4711'] })], {
      description: 'what the path held then: a time, or `seq:N` for right after an event',
    }),
  ),
};

/** What such a query asks for. @throws PinfoldError invalid_input where it asks to wait as well */
export function parseThen(at: string, others: Readonly<Record<string, unknown>>): ThenQuestion {
  if (Object.values(others).some((value) => value !== undefined)) {
    const detail = 'at asks for the past: it goes with mount, and with no for, wait or since.';
    throw new PinfoldError('invalid_input', { detail, errors: [{ pointer: '/query/at', detail }] });
  }
  return at.startsWith('seq:') ? { seq: Number(at.slice('seq:'.length)) } : { time: at };
}
