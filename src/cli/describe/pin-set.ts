import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';
import { readStatus } from '../pinset/follow-rollout.ts';
import { nodeTable } from '../pinset/node-table.ts';
import type { Detail } from './details.ts';

/** A pin set with all that the manager tells of it. @throws ClientError */
export async function readPinSet({ api }: PinfoldClient, name: string): Promise<object> {
  return await readData(api.GET('/v1/cluster/pinsets/{name}', { params: { path: { name } } }));
}

/** What its nodes came to. @throws ClientError */
export async function readPinSetDetails(
  client: PinfoldClient,
  { name }: { readonly name: string },
): Promise<readonly Detail[]> {
  const { items } = await readStatus(client, name);
  const lines = items.length === 0 ? ['No node has it, and none is meant.'] : nodeTable(items, true);
  return [{ member: 'on_nodes', value: items, lines }];
}
