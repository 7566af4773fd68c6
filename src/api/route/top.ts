import { Type } from 'typebox';
import { parseDurationMs } from '../../model/duration.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { oneOf } from '../../model/schema/common.ts';
import { mapOrders, TopMaps, TopPrograms } from '../../model/schema/usage.ts';
import { answers, json } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { whileConnected } from './program-statistics.ts';

/** Items of an answer, unless told. */
const itemsDefault = 20;

const limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: limits.pageItemsMax,
    description: `items, ${itemsDefault} unless told`,
  }),
);

const ProgramsQuery = Type.Object(
  {
    duration: Type.Optional(
      Type.String({
        description: `how long to measure: 1s unless told, at most ${limits.statisticsMsMax / 1000}s`,
      }),
    ),
    limit,
  },
  { additionalProperties: false },
);

const MapsQuery = Type.Object(
  { by: Type.Optional(oneOf(mapOrders)), limit },
  { additionalProperties: false },
);

/** Who takes most: programs by the time they run, maps by memory or by how full they are. */
export function addTopRoutes(app: App, { agent, streams }: Parts): void {
  app.get('/v1/top/programs', {
    config: { role: 'viewer' },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'topPrograms',
      summary: 'The programs that run longest; the kernel measures only while this takes',
      tags: ['objects'],
      querystring: ProgramsQuery,
      response: answers({ 200: json('The programs.', TopPrograms) }),
    },
    handler: async (request, reply) => {
      const durationMs = parseDuration(request.query.duration ?? '1s');
      const release = streams.take();
      try {
        const wanted = { durationMs, limit: request.query.limit ?? itemsDefault };
        return await agent.usage.programs(wanted, whileConnected(reply));
      } finally {
        release();
      }
    },
  });
  app.get('/v1/top/maps', {
    config: { role: 'viewer' },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'topMaps',
      summary: 'The maps that take most memory, or are fullest, read from the kernel',
      tags: ['objects'],
      querystring: MapsQuery,
      response: answers({ 200: json('The maps.', TopMaps) }),
    },
    handler: async (request) => {
      const { by = 'memory', limit: most = itemsDefault } = request.query;
      const release = streams.take();
      try {
        return await agent.usage.maps({ by, limit: most });
      } finally {
        release();
      }
    },
  });
}

/** @throws PinfoldError invalid_input */
function parseDuration(text: string): number {
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined && durationMs > 0 && durationMs <= limits.statisticsMsMax) return durationMs;
  throw new PinfoldError('invalid_input', {
    detail: `duration wants a time such as 2s, at most ${limits.statisticsMsMax / 1000}s.`,
    errors: [{ pointer: '/query/duration', detail: 'must be a time of that length' }],
  });
}
