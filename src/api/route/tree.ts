import { Type } from 'typebox';
import { limits } from '../../model/limits.ts';
import { listOf } from '../../model/schema/common.ts';
import { TreeEntry } from '../../model/schema/pin.ts';
import { answers, list } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { mountQuery } from '../change.ts';
import { freshQuery, pageQuery, sendList } from '../list.ts';
import { parsePrefix, prefixQuery } from '../query.ts';

/** Everything that has a name in a bpffs: directories, pins, symbolic links with their targets. */
export function addTreeRoute(app: App, parts: Parts): void {
  app.get('/v1/tree', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listTree',
      summary: 'Directories, pins and symbolic links',
      tags: ['pins'],
      querystring: Type.Object(
        {
          ...pageQuery,
          ...freshQuery,
          ...mountQuery,
          ...prefixQuery,
          depth: Type.Optional(
            Type.Integer({ minimum: 1, maximum: limits.depthMax, description: 'levels below the prefix' }),
          ),
        },
        { additionalProperties: false },
      ),
      response: answers({ 200: list('Entries, in byte order of their paths.', listOf(TreeEntry)) }),
    },
    handler: (request, reply) => {
      const prefix = parsePrefix(request.query);
      const { mount, depth } = request.query;
      const query = {
        mount,
        ...(prefix === undefined ? {} : { prefix }),
        ...(depth === undefined ? {} : { depth }),
      };
      return sendList(parts, request, reply, (slice) => parts.agent.reads.tree(query, slice));
    },
  });
}
