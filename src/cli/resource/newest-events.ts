import { ClientError } from '../../client/client-error.ts';
import type { Event } from '../../client/documents.ts';
import type { FiltersOf } from '../../client/list.ts';
import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';

/** What narrows history. */
export type EventFilters = FiltersOf<'/v1/events'>;

/**
 * The last `itemsMax` events, oldest of them first. The API reads history forwards only: it is asked how much
 * there is since ever earlier times, and read from the first one that is early enough.
 *
 * @throws ClientError
 */
export async function* newestEvents(
  client: PinfoldClient,
  filters: EventFilters,
  itemsMax: number,
): AsyncGenerator<Event, void, undefined> {
  const since = await timeBeforeNewest(client, filters, itemsMax);
  let newest: Event[] = [];
  for await (const event of client.list('/v1/events', { ...filters, since })) {
    newest.push(event);
    if (newest.length >= 2 * itemsMax) newest = newest.slice(-itemsMax);
  }
  yield* newest.slice(-itemsMax);
}

/** A time since which there are enough, by the agent's clock; what was asked for where there are fewer. */
async function timeBeforeNewest(
  client: PinfoldClient,
  filters: EventFilters,
  itemsMax: number,
): Promise<string | undefined> {
  const { total, observed_at: observedAt } = await countEvents(client, filters);
  if (total <= itemsMax) return filters.since;
  const observed = Date.parse(observedAt);
  const last = filters.until === undefined ? observed : Math.min(Date.parse(filters.until), observed);
  const first = filters.since === undefined ? 0 : Date.parse(filters.since);
  for (let reachMs = 60_000; last - reachMs > first; reachMs *= 8) {
    const since = new Date(last - reachMs).toISOString();
    if ((await countEvents(client, { ...filters, since })).total >= itemsMax) return since;
  }
  return filters.since;
}

async function countEvents(
  client: PinfoldClient,
  filters: EventFilters,
): Promise<{ readonly total: number; readonly observed_at: string }> {
  const given = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined));
  const query = { ...given, limit: 1 };
  const page = await readData(client.api.GET('/v1/events', { params: { query } }));
  if (typeof page === 'object') return page;
  throw new ClientError('not_pinfold', 'The server answered with a text where a page of events was due.');
}
