import { Type } from 'typebox';
import { openMetricsType, prometheusType } from '../../metrics/openmetrics.ts';
import { limits } from '../../model/limits.ts';
import { answers } from '../answers.ts';
import type { App, ServiceParts } from '../app.ts';
import { NoQuery } from '../params.ts';

const text = { schema: Type.String() };

/** What Prometheus scrapes. */
export function addMetricsRoute(app: App, { metrics, openMetrics }: ServiceParts): void {
  app.get('/metrics', {
    config: {
      role: openMetrics ? 'open' : 'viewer',
      produces: ['text/plain', 'application/openmetrics-text'],
    },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'metrics',
      summary: 'Metrics in the Prometheus or OpenMetrics text format',
      tags: ['service'],
      querystring: NoQuery,
      response: answers({
        200: {
          description: 'Metrics.',
          content: { 'text/plain': text, 'application/openmetrics-text': text },
        },
      }),
    },
    handler: async (request, reply) => {
      const isOpenMetrics = request.media === 'application/openmetrics-text';
      reply.type(isOpenMetrics ? openMetricsType : prometheusType);
      return await metrics.render(isOpenMetrics ? 'openmetrics' : 'prometheus');
    },
  });
}
