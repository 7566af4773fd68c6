import { errorOf } from './client-error.ts';
import type { paths } from './generated.ts';
import { readNdjson } from './ndjson.ts';
import { type ListPage, readPages } from './pages.ts';
import { readEventStream, type StreamMessage } from './sse.ts';
import type { Transport } from './transport.ts';

/** The routes that answer with a page of items. */
export type ListPath = {
  [Path in keyof paths]: paths[Path] extends Listing<unknown> ? Path : never;
}[keyof paths];

/** What one item of such a list is. */
export type ItemOf<Path extends ListPath> = paths[Path] extends Listing<infer Item> ? Item : never;

/** The filters of such a list, undefined ones are left out; the cursor and the limit are not the caller's. */
export type FiltersOf<Path extends ListPath> = Loose<
  Omit<NonNullable<paths[Path]['get']['parameters']['query']>, 'limit' | 'cursor'>
>;

type Loose<Members> = { readonly [Name in keyof Members]?: Members[Name] | undefined };

interface Listing<Item> {
  readonly get: {
    responses: { 200: { content: { 'application/json': { readonly items: readonly Item[] } } } };
  };
}

/**
 * A query as `URLSearchParams` takes it, before numbers and booleans have become text; an array repeats its
 * key.
 */
export type Query = Readonly<Record<string, unknown>>;

/**
 * All items of a list: one stream where no limit is given, otherwise as many pages as the limit needs.
 *
 * @throws ClientError what the server refused, or cut_short
 */
export async function* readList<Path extends ListPath>(
  transport: Transport,
  path: Path,
  options: { readonly filters: FiltersOf<Path>; readonly itemsMax?: number | undefined },
): AsyncGenerator<ItemOf<Path>, void, undefined> {
  const { filters, itemsMax } = options;
  if (itemsMax === undefined) {
    const response = await getList(transport, `${path}${queryText({ ...filters })}`, 'application/x-ndjson');
    yield* readNdjson<ItemOf<Path>>(response.body ?? new ReadableStream<Uint8Array>());
    return;
  }
  yield* readPages(async (slice) => {
    const response = await getList(
      transport,
      `${path}${queryText({ ...filters, ...slice })}`,
      'application/json',
    );
    return (await response.json()) as ListPage<ItemOf<Path>>;
  }, itemsMax);
}

/** History as it is written, after an event. @throws ClientError what the server refused, or cut_short */
export async function* followEvents(
  transport: Transport,
  filters: FiltersOf<'/v1/events'>,
  afterSeq: string,
): AsyncGenerator<StreamMessage, void, undefined> {
  const target = `/v1/events${queryText({ ...filters })}`;
  const response = await getList(transport, target, 'text/event-stream', { 'last-event-id': afterSeq });
  yield* readEventStream(response.body ?? new ReadableStream<Uint8Array>());
}

/** Asks for a list. @throws ClientError what the server refused */
export async function getList(
  transport: Transport,
  pathAndQuery: string,
  accept: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const headers = { ...transport.headers, ...more, accept };
  const response = await transport.fetch(new Request(`${transport.baseUrl}${pathAndQuery}`, { headers }));
  if (response.ok) return response;
  throw errorOf(response.status, await response.json().catch(() => undefined));
}

/** A query as text, undefined members left out. */
export function queryText(query: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    for (const one of values) if (one !== undefined) search.append(key, String(one));
  }
  return search.size === 0 ? '' : `?${search}`;
}
