import { Type } from 'typebox';
import { WhyDocument } from '../../model/schema/holder.ts';
import { answers, json } from '../answers.ts';
import type { App } from '../app.ts';
import type { HolderQuestions } from '../holder-questions.ts';
import { IdParams, NoQuery } from '../params.ts';
import { heldKinds } from './holders.ts';

/** Why an object is alive: `/v1/maps/{id}/why` and its sisters, for programs and, as text, for people. */
export function addWhyRoutes(app: App, questions: HolderQuestions): void {
  for (const { kind, plural, title } of heldKinds) {
    const answer = json('The sentences, the graph, and what each pin’s removal would cost.', WhyDocument);
    app.get(`/v1/${plural}/:id/why`, {
      config: { role: 'viewer', produces: ['application/json', 'text/plain'] },
      schema: {
        operationId: `get${title}Why`,
        summary: `Why a ${kind} is alive, read from the kernel`,
        tags: ['objects'],
        params: IdParams,
        querystring: NoQuery,
        response: answers({
          200: {
            ...answer,
            content: {
              ...answer.content,
              'text/plain': { schema: Type.String({ description: 'a sentence a line' }) },
            },
          },
        }),
      },
      handler: async (request, reply) => {
        const why = await questions.why(kind, Number(request.params.id));
        if (request.media !== 'text/plain') return why;
        reply.type('text/plain; charset=utf-8');
        return `${why.sentences.join('\n')}\n`;
      },
    });
  }
}
