import createClient, { type Client } from 'openapi-fetch';
import { ClientError, errorOf } from './client-error.ts';
import { type FleetChoice, fleetPathOf, readFleetList } from './fleet-list.ts';
import type { paths } from './generated.ts';
import { type FiltersOf, followEvents, type ItemOf, type ListPath, readList } from './list.ts';
import type { StreamMessage } from './sse.ts';
import { openTransport, type Transport, type TransportOptions } from './transport.ts';

/** One agent (or manager), spoken to by its own OpenAPI document. */
export interface PinfoldClient {
  /**
   * Every route, typed. `{path}` and `{owner}` are given percent-encoded already, because they are bytes.
   *
   * Answers are `{data, error, response}`; `readData` turns a refusal into a ClientError.
   */
  readonly api: Client<paths>;
  /** All items of a list, or the first `itemsMax` of them. */
  list<Path extends ListPath>(
    path: Path,
    filters: FiltersOf<Path>,
    itemsMax?: number,
  ): AsyncGenerator<ItemOf<Path>, void, undefined>;
  /** What happens from an event on, until the server ends the stream; come again after the last `id`. */
  follow(filters: FiltersOf<'/v1/events'>, afterSeq: string): AsyncGenerator<StreamMessage, void, undefined>;
  /** One node of the fleet, through the manager that this client asks; closing it closes nothing. */
  ofNode(name: string): PinfoldClient;
  /** Many nodes of the fleet: its lists are theirs, where the manager has such a list. */
  ofFleet(choice: FleetChoice): PinfoldClient;
  close(): Promise<void>;
}

/**
 * Connects at the first request. @throws ClientError from its calls: unreachable, timed_out and the server's
 * codes
 */
export function openClient(options: TransportOptions): PinfoldClient {
  return clientOver(openTransport(options));
}

function clientOver(transport: Transport): PinfoldClient {
  const { baseUrl, headers, fetch } = transport;
  const self: PinfoldClient = {
    api: createClient<paths>({ baseUrl, headers, fetch, pathSerializer: serializePath }),
    list: (path, filters, itemsMax) => readList(transport, path, { filters, itemsMax }),
    follow: (filters, afterSeq) => followEvents(transport, filters, afterSeq),
    ofNode: (name) => {
      const node = `${baseUrl}/v1/cluster/nodes/${encodeURIComponent(name)}/api`;
      return clientOver({ ...transport, baseUrl: node, close: async () => undefined });
    },
    ofFleet: (choice) => ({
      ...self,
      list: (path, filters, itemsMax) => {
        const fleetPath = fleetPathOf(path);
        if (fleetPath === undefined) return readList(transport, path, { filters, itemsMax });
        return readFleetList(transport, fleetPath, { filters: { ...filters }, itemsMax, choice });
      },
    }),
    close: () => transport.close(),
  };
  return self;
}

/** What openapi-fetch answers with. */
type Call<Data> = Promise<{ readonly data?: Data; readonly error?: unknown; readonly response: Response }>;

/**
 * What a call was answered with.
 *
 * @throws ClientError when it was refused
 */
export async function readData<Data>(call: Call<Data>): Promise<Data> {
  return (await readAnswer(call)).data;
}

/**
 * The same with the status, where 200 and 201 say different things. @throws ClientError when it was refused
 */
export async function readAnswer<Data>(
  call: Call<Data>,
): Promise<{ readonly data: Data; readonly status: number }> {
  const { data, error, response } = await settle(call);
  if (!response.ok) throw errorOf(response.status, error);
  return { data: data as Data, status: response.status };
}

/** An answer whose body breaks off is a ClientError like any other failure of the connection. */
async function settle<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ClientError) throw error;
    throw new ClientError('cut_short', 'The connection broke in the middle of the answer.', error);
  }
}

/** Puts parameters in their places; paths and owners come encoded, everything else is encoded here. */
function serializePath(route: string, parameters: Record<string, unknown>): string {
  return route.replace(/\{(\w+)\}/g, (_, name: string) => {
    const text = String(parameters[name]);
    return name === 'path' || name === 'owner' ? text : encodeURIComponent(text);
  });
}
