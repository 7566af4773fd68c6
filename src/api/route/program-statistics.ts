import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { parseDurationMs } from '../../model/duration.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { ProgramDocument } from '../../model/schema/object.ts';
import { answers, empty, tagged } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { ReadHeaders, sendTagged } from '../etag.ts';
import { IdParams } from '../params.ts';

const ProgramQuery = Type.Object(
  {
    statistics: Type.Optional(
      Type.String({
        description:
          `for so long, at most ${limits.statisticsMsMax / 1000}s, see how often and how long it runs; ` +
          'the kernel measures all programs meanwhile, and no longer',
      }),
    ),
  },
  { additionalProperties: false },
);

/** One program, measured where that is asked for: only while such a request runs does the kernel do it. */
export function addProgramRoute(app: App, parts: Parts): void {
  app.get('/v1/programs/:id', {
    config: { role: 'viewer' },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'getProgram',
      summary: 'One program, read from the kernel; with its run statistics where they are asked for',
      tags: ['objects'],
      params: IdParams,
      headers: ReadHeaders,
      querystring: ProgramQuery,
      response: answers({
        200: tagged('The program.', ProgramDocument),
        304: empty('It is as If-None-Match says.'),
      }),
    },
    handler: async (request, reply) => {
      const id = Number(request.params.id);
      const { statistics } = request.query;
      if (statistics === undefined) {
        return sendTagged(request, reply, parts.agent.reads.object('program', id).value);
      }
      const durationMs = parseMeasuring(statistics);
      const release = parts.streams.take();
      try {
        const { value } = await parts.agent.programs.measured(id, durationMs, whileConnected(reply));
        reply.header('etag', value.etag);
        return value;
      } finally {
        release();
      }
    },
  });
}

function parseMeasuring(text: string): number {
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined && durationMs > 0 && durationMs <= limits.statisticsMsMax) return durationMs;
  throw new PinfoldError('invalid_input', {
    detail: `statistics wants a time such as 5s, at most ${limits.statisticsMsMax / 1000}s.`,
    errors: [{ pointer: '/query/statistics', detail: 'must be a time of that length' }],
  });
}

/** Aborts when the answer is over or its connection has gone. */
export function whileConnected(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort());
  return controller.signal;
}
