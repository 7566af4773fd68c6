import { ClientError } from './client-error.ts';
import type { Pin } from './documents.ts';
import { type PinfoldClient, readData } from './pinfold-client.ts';

/**
 * The pin at a path, which is percent-encoded already; the same route answers waits, and questions
 * about the past, with other documents.
 *
 * @throws ClientError pin_not_found, mount_not_found…
 */
export async function getPin(
  { api }: PinfoldClient,
  path: string,
  query: { readonly mount?: string },
): Promise<Pin> {
  const pin = await readData(api.GET('/v1/pins/{path}', { params: { path: { path }, query } }));
  if (!('condition' in pin || 'at' in pin)) return pin;
  throw new ClientError('not_pinfold', 'The server answered with something else where a pin was due.');
}
