import type { Etcd3, IWatchResponse } from 'etcd3';
import type { ClusterEvent, ClusterNews } from '../../model/cluster/store.ts';
import { Backoff, pause } from '../backoff.ts';
import { askAgain, failureOf } from './client.ts';
import { entriesOf, parseRevision } from './convert.ts';

/** A range of keys, from a revision on. */
interface Watched {
  readonly key: Buffer;
  readonly end: Buffer;
  readonly fromRevision: number;
}

/**
 * A watch on which nothing happened is opened anew after so long, perhaps at another member: one that was cut
 * off from the others keeps its streams open and says nothing.
 */
const quietMs = 15_000;

/** Where a watch goes on, and which cluster its revisions are of: a restored one has another id. */
interface Place {
  next: number;
  cluster: string | undefined;
}

/**
 * What happens in a range of keys, in order, each revision once. Streams break; the next one begins after the
 * last revision that was told.
 *
 * Before each stream the store's revision is read with a quorum: a member that is behind it is left for
 * another, and a store that is behind what was already told has been restored from a backup, which is told as
 * `compacted`, because what came between is not known.
 */
export async function* watchEtcd(
  etcd: Etcd3,
  watched: Watched,
  signal: AbortSignal,
): AsyncGenerator<ClusterNews, void, undefined> {
  const place: Place = { next: watched.fromRevision, cluster: undefined };
  const backoff = new Backoff();
  let isUp = false;
  while (!signal.aborted) {
    try {
      const { header } = await askAgain((call) => etcd.kv.range({ key: watched.key }, call));
      const revision = parseRevision(header.revision);
      place.cluster ??= header.cluster_id;
      if (revision < place.next - 1 || header.cluster_id !== place.cluster) {
        yield { type: 'compacted', compactRevision: revision };
        return;
      }
      for await (const news of oneStream(etcd, { watched, place, least: revision }, signal)) {
        if (news.type === 'connected') {
          if (!isUp) yield news;
          isUp = true;
          backoff.reset();
          continue;
        }
        yield news;
        if (news.type === 'compacted') return;
      }
    } catch (error) {
      if (signal.aborted) return;
      isUp = false;
      yield { type: 'disconnected', reason: sentenceOf(error) };
      await backoff.wait(signal);
    }
  }
}

/** One stream, until it has been quiet for long. @throws what broke it */
async function* oneStream(
  etcd: Etcd3,
  { watched, place, least }: { readonly watched: Watched; readonly place: Place; readonly least: number },
  signal: AbortSignal,
): AsyncGenerator<ClusterNews, void, undefined> {
  const stream = await etcd.watchClient.watch();
  const responses: IWatchResponse[] = [];
  let failure: Error | undefined;
  let wake = new AbortController();
  stream.on('data', (response) => {
    responses.push(response);
    wake.abort();
  });
  const fail = (error: Error): void => {
    failure ??= error;
    wake.abort();
  };
  stream.on('error', fail);
  stream.on('end', () => fail(new Error('the watch was ended by etcd')));
  const { key, end: range_end } = watched;
  stream.write({ create_request: { key, range_end, start_revision: place.next } });
  try {
    for (;;) {
      const response = responses.shift();
      if (response !== undefined) {
        const news = newsOf(response, least);
        if (news?.type === 'events') place.next = news.revision + 1;
        if (news !== undefined) yield news;
        continue;
      }
      if (failure !== undefined) throw failure;
      wake = new AbortController();
      const until = AbortSignal.any([signal, wake.signal]);
      await pause(quietMs, until);
      if (signal.aborted || !wake.signal.aborted) return;
    }
  } finally {
    stream.cancel();
  }
}

function sentenceOf(error: unknown): string {
  const failure = failureOf(error);
  return failure instanceof Error ? failure.message : String(failure);
}

/** What one response says; nothing for one without events. @throws Error for a member that cannot serve it */
function newsOf(response: IWatchResponse, least: number): ClusterNews | undefined {
  const compacted = parseRevision(response.compact_revision);
  if (compacted > 0) return { type: 'compacted', compactRevision: compacted };
  if (response.canceled) throw new Error('etcd does not allow this watch');
  const revision = parseRevision(response.header.revision);
  if (response.created) {
    if (revision < least) throw new Error('this member of etcd is behind the others');
    return { type: 'connected' };
  }
  if (response.events.length === 0) return undefined;
  const events = response.events.flatMap(({ type, kv }) =>
    entriesOf(kv).map((entry): ClusterEvent => {
      const { key, modRevision } = entry;
      return String(type).toUpperCase() === 'DELETE'
        ? { type: 'delete', key, modRevision }
        : { type: 'put', entry };
    }),
  );
  const last = Math.max(...response.events.map(({ kv }) => parseRevision(kv.mod_revision)));
  return { type: 'events', revision: last, events };
}
