import type { IWatchResponse } from 'etcd3';
import type { ClusterEvent, ClusterNews } from '../../model/cluster/store.ts';
import { limits } from '../../model/limits.ts';
import { Backoff, pause } from '../backoff.ts';
import { failureOf } from './client.ts';
import { entriesOf, parseRevision } from './convert.ts';
import type { Member, Members } from './members.ts';
import { type Watched, Witness } from './witness.ts';

/**
 * A watch on which nothing happened is opened anew after so long, perhaps at another member: one that was cut
 * off from the others keeps its streams open and says nothing.
 */
const quietMs = 15_000;

/** A member that has not begun a watch after so long is left for another. */
const beginMs = 3000;

/** A member that has not come to what another has acknowledged is asked again so soon. */
const behindMs = 50;

/** The member that was asked has not heard all that others have acknowledged. */
class MemberBehind extends Error {
  constructor() {
    super('this member of etcd is behind the others');
  }
}

/**
 * What happens in a range of keys, in order, each revision once. Streams break; the next one begins after the
 * last revision that was told.
 *
 * Before each stream the store is read with a quorum: a store that is not the one before (`Witness`) has been
 * restored from a backup, which is told as `compacted`, because what came between is not known; and a member
 * that is behind is left for another. A moment behind is every member but the leader while others write, so
 * that is told only when it lasts. Where another client has taken its place, a stream ends after what it has
 * heard, and the next one goes over that.
 */
export async function* watchEtcd(
  members: Members,
  watched: Watched,
  signal: AbortSignal,
): AsyncGenerator<ClusterNews, void, undefined> {
  const witness = new Witness(members, watched);
  const place: Place = { next: watched.fromRevision, witness };
  const backoff = new Backoff();
  let isUp = false;
  let behindSince: number | undefined;
  while (!signal.aborted) {
    let member: Member | undefined;
    try {
      if (await witness.isOther()) {
        yield { type: 'compacted', compactRevision: witness.revision };
        return;
      }
      member = members.pick();
      for await (const news of oneStream(member, { ...watched, place, least: witness.revision }, signal)) {
        if (news.type === 'connected') {
          if (!isUp) yield news;
          isUp = true;
          behindSince = undefined;
          backoff.reset();
          continue;
        }
        yield news;
        if (news.type === 'compacted') return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof MemberBehind) {
        behindSince ??= performance.now();
        if (performance.now() - behindSince < limits.clusterPatienceMs) {
          await pause(behindMs, signal);
          continue;
        }
      }
      isUp = false;
      if (member !== undefined) members.failed(member, false);
      yield { type: 'disconnected', reason: sentenceOf(error) };
      await backoff.wait(signal);
    }
  }
}

/** Where a watch goes on, and how it knows that the store is still the same. */
interface Place {
  next: number;
  readonly witness: Witness;
}

/** What a stream is opened for; `least` is the revision that a member must have come to. */
interface Stretch extends Watched {
  readonly place: Place;
  readonly least: number;
}

/** One stream, until it has been quiet for long or its client was replaced. @throws Error that broke it */
async function* oneStream(
  { etcd, replaced }: Member,
  stretch: Stretch,
  signal: AbortSignal,
): AsyncGenerator<ClusterNews, void, undefined> {
  const { key, end: range_end, place } = stretch;
  const stream = await etcd.watchClient.watch();
  const responses: IWatchResponse[] = [];
  let failure: Error | undefined;
  let isBegun = false;
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
  const onReplaced = (): void => wake.abort();
  replaced.addEventListener('abort', onReplaced);
  stream.write({ create_request: { key, range_end, start_revision: place.next } });
  try {
    for (;;) {
      const response = responses.shift();
      if (response !== undefined) {
        const news = newsOf(response, stretch);
        isBegun = true;
        if (news?.type === 'events') place.next = news.revision + 1;
        if (news !== undefined) yield news;
        continue;
      }
      if (failure !== undefined) throw failure;
      if (replaced.aborted) return;
      wake = new AbortController();
      await pause(isBegun ? quietMs : beginMs, signal, wake.signal);
      if (signal.aborted) return;
      if (wake.signal.aborted) continue;
      if (isBegun) return;
      throw new Error('this member of etcd did not begin a watch');
    }
  } finally {
    replaced.removeEventListener('abort', onReplaced);
    stream.cancel();
  }
}

function sentenceOf(error: unknown): string {
  const failure = failureOf(error);
  return failure instanceof Error ? failure.message : String(failure);
}

/** What one response says; nothing for one without events. @throws Error for a member that cannot serve it */
function newsOf(response: IWatchResponse, { place, least }: Stretch): ClusterNews | undefined {
  const compacted = parseRevision(response.compact_revision);
  if (compacted > 0) return { type: 'compacted', compactRevision: compacted };
  if (response.canceled) throw new Error('etcd does not allow this watch');
  const revision = parseRevision(response.header.revision);
  // Something between us and etcd may keep a stream open over its restart.
  if (!place.witness.isOf(response.header)) return { type: 'compacted', compactRevision: revision };
  if (response.created) {
    if (revision < least) throw new MemberBehind();
    return { type: 'connected' };
  }
  const changes = response.events.map(({ type, kv }) => ({
    kv,
    isDelete: String(type).toUpperCase() === 'DELETE',
  }));
  const revisions = changes.map(({ kv }) => parseRevision(kv.mod_revision));
  const last = changes.at(-1);
  if (last === undefined) return undefined;
  if (Math.min(...revisions) < place.next) return { type: 'compacted', compactRevision: revision };
  place.witness.saw(last.kv, last.isDelete);
  const events = changes.flatMap(({ kv, isDelete }) =>
    entriesOf(kv).map((entry): ClusterEvent => {
      const { key, modRevision } = entry;
      return isDelete ? { type: 'delete', key, modRevision } : { type: 'put', entry };
    }),
  );
  return { type: 'events', revision: Math.max(...revisions), events };
}
