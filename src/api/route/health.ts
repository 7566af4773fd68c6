import { Type } from 'typebox';
import { PinfoldError } from '../../model/error.ts';
import { answers, json } from '../answers.ts';
import type { App, ServiceParts } from '../app.ts';
import { NoQuery } from '../params.ts';

const Health = Type.Object({ status: Type.Literal('ok') }, { $id: 'Health' });

/** Whether the process answers, and whether what it answers is complete. */
export function addHealthRoutes(app: App, { notReady }: ServiceParts): void {
  app.get('/healthz', {
    config: { role: 'open' },
    schema: {
      operationId: 'healthz',
      summary: 'The process answers',
      tags: ['service'],
      querystring: NoQuery,
      response: answers({ 200: json('It does.', Health) }),
    },
    handler: () => ({ status: 'ok' as const }),
  });
  app.get('/readyz', {
    config: { role: 'open' },
    schema: {
      operationId: 'readyz',
      summary: 'Recovery and the first full observation are done',
      tags: ['service'],
      querystring: NoQuery,
      response: answers({ 200: json('They are.', Health) }),
    },
    handler: () => {
      const why = notReady();
      if (why === undefined) return { status: 'ok' as const };
      throw new PinfoldError('not_ready', { detail: why, retry_after: 1 });
    },
  });
}
