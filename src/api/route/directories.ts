import { Type } from 'typebox';
import { parseUrlPath } from '../../model/path.ts';
import { DirectoryRequest } from '../../model/schema/request.ts';
import { answers, changed, json } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import {
  ChangeHeaders,
  changeQuery,
  concludeChange,
  contextOf,
  mountQuery,
  PlanDocument,
} from '../change.ts';
import { PathParams } from '../params.ts';

const Query = Type.Object({ ...mountQuery, ...changeQuery }, { additionalProperties: false });

/** Directories of a bpffs. */
export function addDirectoryRoutes(app: App, { agent }: Parts): void {
  app.put('/v1/directories/:path', {
    config: { role: 'operator' },
    schema: {
      operationId: 'putDirectory',
      summary: 'Make a directory, if it is not there',
      tags: ['pins'],
      params: PathParams,
      querystring: Query,
      headers: ChangeHeaders,
      body: DirectoryRequest,
      response: answers({
        200: json('The plan of a dry run.', PlanDocument),
        201: changed('It was made.'),
        204: changed('It was there already.'),
      }),
    },
    preValidation: async (request) => {
      request.body ??= {};
    },
    handler: async (request, reply) => {
      const path = parseUrlPath(request.params.path);
      const result = await agent.changes.makeDirectory(
        path,
        request.query.mount,
        request.body,
        contextOf(request),
      );
      const plan = concludeChange(reply, result);
      if (plan === undefined) reply.code(result.created ? 201 : 204);
      return plan;
    },
  });
  app.delete('/v1/directories/:path', {
    config: { role: 'operator' },
    schema: {
      operationId: 'deleteDirectory',
      summary: 'Remove an empty directory',
      tags: ['pins'],
      params: PathParams,
      querystring: Query,
      headers: ChangeHeaders,
      response: answers({ 200: json('The plan of a dry run.', PlanDocument), 204: changed('It is gone.') }),
    },
    handler: async (request, reply) => {
      const path = parseUrlPath(request.params.path);
      const result = await agent.changes.removeDirectory(path, request.query.mount, contextOf(request));
      const plan = concludeChange(reply, result);
      if (plan === undefined) reply.code(204);
      return plan;
    },
  });
}
