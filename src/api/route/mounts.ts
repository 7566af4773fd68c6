import { Type } from 'typebox';
import { listOf } from '../../model/schema/common.ts';
import { MountDocument } from '../../model/schema/pin.ts';
import { answers, list } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { keptList } from '../kept-list.ts';
import { freshQuery, pageQuery } from '../list.ts';

/** Every bpffs instance that can be seen from any mount namespace. */
export function addMountsRoute(app: App, parts: Parts): void {
  app.get('/v1/mounts', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listMounts',
      summary: 'Every bpffs instance seen from every mount namespace',
      tags: ['node'],
      querystring: Type.Object({ ...pageQuery, ...freshQuery }, { additionalProperties: false }),
      response: answers({ 200: list('The instances.', listOf(MountDocument)) }),
    },
    handler: keptList(parts, () => parts.agent.reads.mounts()),
  });
}
