import { Readable } from 'node:stream';
import { limits } from '../model/limits.ts';
import type { EventDocument } from '../model/schema/event.ts';
import type { EventLog, EventQuery } from '../model/store.ts';
import type { StreamSlots } from './ndjson.ts';

/** The media type of live streams (HTML Living Standard, 9.2 Server-sent events). */
export const eventStreamType = 'text/event-stream';

/** Milliseconds after which a browser connects again. */
const retryMs = 1000;

/** Which events a stream gives, and after which number it begins. */
export interface Following {
  readonly query: Omit<EventQuery, 'limit' | 'afterSeq'>;
  /** The last event the reader knows; undefined for one who wants only what is to come. */
  readonly afterSeq: number | undefined;
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

  constructor(events: EventLog, { query, afterSeq }: Following) {
    this.#events = events;
    this.#query = query;
    this.#seq = afterSeq ?? events.lastSeq();
  }

  isBehind(): boolean {
    return this.#seq !== this.#events.lastSeq();
  }

  /** The next events as text; none where there are none yet, or none of a page's length that are wanted. */
  next(): string {
    if (!this.isBehind()) return '';
    const gap = this.#passGap();
    const last = this.#events.lastSeq();
    const page = this.#events.list({
      ...this.#query,
      afterSeq: this.#seq,
      limit: limits.streamEventsMax,
    });
    this.#seq = page.length < limits.streamEventsMax ? last : (page.at(-1)?.seq ?? last);
    return gap + page.map(textOf).join('');
  }

  /** A comment, with the place: whoever wants few events then resumes there and not at the last of them. */
  heartbeat(): string {
    return `: alive\nid: ${this.#seq}\n\n`;
  }

  /**
   * Where the events after this place are not kept any more, or are of another log because the state was
   * lost, the reader is told from where on it is given everything.
   */
  #passGap(): string {
    const first = this.#events.list({ limit: 1 })[0]?.seq ?? this.#events.lastSeq() + 1;
    const after = this.#seq;
    if (after >= first - 1 && after <= this.#events.lastSeq()) return '';
    this.#seq = first - 1;
    if (after === 0) return '';
    return `id: ${this.#seq}\nevent: pinfold.gap\ndata: ${JSON.stringify({ after, next: first })}\n\n`;
  }
}

/** One event; JSON.stringify escapes every line end, so that the document is one line. */
function textOf(event: EventDocument): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
