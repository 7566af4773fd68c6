import { Readable } from 'node:stream';
import { type EventPlace, formatEventPlace } from '../model/event-place.ts';
import { limits } from '../model/limits.ts';
import type { EventLog, EventQuery, HashedEvent } from '../model/store.ts';
import { type EventGap, gapAfter } from './event-gap.ts';
import type { StreamSlots } from './ndjson.ts';

/** The media type of live streams (HTML Living Standard, 9.2 Server-sent events). */
export const eventStreamType = 'text/event-stream';

/** Milliseconds after which a browser connects again. */
const retryMs = 1000;

/** Which events a stream gives, and after which place it begins. */
export interface Following {
  readonly query: Omit<EventQuery, 'limit' | 'afterSeq'>;
  /** The last event the reader knows; undefined for one who wants only what is to come. */
  readonly after: EventPlace | undefined;
}

/** Tells of events that are committed, for as long as the process runs. */
export type OnEvents = (listener: () => void) => void;

/** What live streams stand on. */
export interface FollowerParts {
  readonly events: EventLog;
  readonly slots: StreamSlots;
  readonly onEvents: OnEvents;
}

/**
 * History as it is written, for any number of readers.
 *
 * A stream is a place in the log. Whoever has read what it was given gets what comes after that place, from
 * the database and in its order: replay and live are the same thing, so that nothing is missing or told twice
 * where one turns into the other. A reader that is slow falls behind in the log, not in memory.
 */
export class EventFollowers {
  readonly #parts: FollowerParts;
  readonly #wakes = new Set<() => void>();
  #isListening = false;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
  }

  /** Opens a stream, until its reader goes or the agent stops. @throws PinfoldError too_many_requests */
  open(following: Following): Readable {
    const { slots, events, onEvents } = this.#parts;
    const release = slots.take();
    if (!this.#isListening) onEvents(() => this.#wakeAll());
    this.#isListening = true;
    const place = new PlaceInLog(events, following);
    let isWanted = false;
    let isDue = false;
    let silentMs = 0;
    const give = (): void => {
      isDue = false;
      if (stream.destroyed || stream.readableEnded || !isWanted) return;
      const text = place.next();
      if (text !== '') isWanted = false;
      if (text !== '') stream.push(text);
      else if (place.isBehind()) wake();
    };
    const wake = (): void => {
      if (isDue || !isWanted) return;
      isDue = true;
      slots.turn(() => attempt(stream, give));
    };
    const stream = new Readable({
      highWaterMark: limits.streamChunkBytes,
      read: () => {
        isWanted = true;
        silentMs = 0;
        wake();
      },
    });
    const heartbeat = setInterval(() => {
      silentMs = isWanted ? 0 : silentMs + limits.streamHeartbeatMs;
      if (isWanted) stream.push(place.heartbeat());
      else if (silentMs >= limits.connectionTimeoutMs) stream.destroy(new Error('nobody reads the stream'));
    }, limits.streamHeartbeatMs);
    const forget = slots.endWithAll(() => stream.push(null));
    this.#wakes.add(wake);
    stream.once('close', () => {
      clearInterval(heartbeat);
      this.#wakes.delete(wake);
      forget();
      release();
    });
    stream.push(`retry: ${retryMs}\n\n`);
    return stream;
  }

  #wakeAll(): void {
    for (const wake of this.#wakes) wake();
  }
}

/** Does it; what cannot be read breaks the stream off, so that the reader comes again. */
function attempt(stream: Readable, work: () => void): void {
  try {
    work();
  } catch (error) {
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** How far one reader has come. */
class PlaceInLog {
  readonly #events: EventLog;
  readonly #query: Following['query'];
  /** Everything up to this number was given, or is not what the reader wants. */
  #seq: number;
  /** What the reader knows; whether it is of this log is looked at once, it stays the same log. */
  #known: EventPlace | undefined;

  constructor(events: EventLog, { query, after }: Following) {
    this.#events = events;
    this.#query = query;
    this.#seq = after?.seq ?? events.lastSeq();
    this.#known = after;
  }

  isBehind(): boolean {
    return this.#known !== undefined || this.#seq !== this.#events.lastSeq();
  }

  /** The next events as text; none where there are none yet, or none of a page's length that are wanted. */
  next(): string {
    if (!this.isBehind()) return '';
    const gap = this.#passGap();
    const last = this.#events.lastSeq();
    const page = this.#events.listHashed({
      ...this.#query,
      afterSeq: this.#seq,
      limit: limits.streamEventsMax,
    });
    this.#seq = page.length < limits.streamEventsMax ? last : (page.at(-1)?.event.seq ?? last);
    return gap + page.map(textOf).join('');
  }

  /** A comment, with the place: whoever wants few events then resumes there and not at the last of them. */
  heartbeat(): string {
    // Before it is known whether the reader's place is of this log, there is none to name.
    return this.#known === undefined ? `: alive\n${this.#id()}\n` : ': alive\n\n';
  }

  #id(): string {
    return idLine({ seq: this.#seq, hash: this.#events.hashAt(this.#seq) });
  }

  /**
   * Where the events after this place are not kept any more, or are of another log because the state was
   * lost, the reader is told from where on it is given everything.
   */
  #passGap(): string {
    const place = this.#known ?? { seq: this.#seq, hash: undefined };
    this.#known = undefined;
    const gap = gapAfter(this.#events, place);
    if (gap === undefined) return '';
    this.#seq = gap.next - 1;
    return `${this.#id()}event: pinfold.gap\ndata: ${JSON.stringify(gap satisfies EventGap)}\n\n`;
  }
}

function idLine(place: EventPlace): string {
  return `id: ${formatEventPlace(place)}\n`;
}

/** One event; JSON.stringify escapes every line end, so that the document is one line. */
function textOf({ event, hash }: HashedEvent): string {
  return `${idLine({ seq: event.seq, hash })}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
