import type { PinnableKind } from '../../model/kind.ts';
import { HolderGraph } from '../../model/schema/holder.ts';
import { answers, json } from '../answers.ts';
import type { App } from '../app.ts';
import type { HolderQuestions } from '../holder-questions.ts';
import { IdParams, NoQuery } from '../params.ts';

/** What can be held, and the collection it is in. */
export const heldKinds: readonly {
  readonly kind: PinnableKind;
  readonly plural: string;
  readonly title: string;
}[] = [
  { kind: 'map', plural: 'maps', title: 'Map' },
  { kind: 'program', plural: 'programs', title: 'Program' },
  { kind: 'link', plural: 'links', title: 'Link' },
];

/** Who holds an object, as a graph: `/v1/maps/{id}/holders` and its sisters. */
export function addHoldersRoutes(app: App, questions: HolderQuestions): void {
  for (const { kind, plural, title } of heldKinds) {
    app.get(`/v1/${plural}/:id/holders`, {
      config: { role: 'viewer' },
      schema: {
        operationId: `get${title}Holders`,
        summary: `Who holds a ${kind}, over other objects too, read from the kernel`,
        tags: ['objects'],
        params: IdParams,
        querystring: NoQuery,
        response: answers({ 200: json('Nodes, and who of them holds whom.', HolderGraph) }),
      },
      handler: (request) => questions.holders(kind, Number(request.params.id)),
    });
  }
}
