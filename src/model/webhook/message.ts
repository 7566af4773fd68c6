import { type PinPath, urlOf } from '../path.ts';
import type { EventDocument } from '../schema/event.ts';

/** Why something is sent. */
export const messageKinds = ['event', 'gap', 'ping'] as const;
/** One of them. */
export type MessageKind = (typeof messageKinds)[number];

/** One thing to be sent; every attempt sends the same bytes under the same id. */
export interface WebhookMessage {
  readonly id: string;
  readonly kind: MessageKind;
  /** Of an event its number; of a gap the number of the last event that is not kept. */
  readonly seq: number | null;
  /** The CloudEvents type. */
  readonly type: string;
  readonly body: string;
}

/** Who sends. */
export interface MessageOrigin {
  readonly node: string;
  /** Of the history that is told: in another, also one that goes on from a backup, numbers mean others. */
  readonly history: string;
}

/** The media type of a CloudEvents 1.0 event in structured mode. */
export const cloudEventsType = 'application/cloudevents+json';

/** An event as CloudEvents 1.0 has it: `data` is the document of `/v1/events`. */
export function eventMessage(origin: MessageOrigin, event: EventDocument): WebhookMessage {
  const subject = subjectOf(event);
  return cloudEvent(origin, {
    id: `${origin.history}:${event.seq}`,
    kind: 'event',
    seq: event.seq,
    type: `pinfold.${event.type}`,
    time: event.time,
    ...(subject === undefined ? {} : { subject }),
    data: event,
  });
}

/** Says that events after `after` and before `next` are not kept any more; some may have been wanted. */
export function gapMessage(
  origin: MessageOrigin,
  { after, next, time }: { readonly after: number; readonly next: number; readonly time: string },
): WebhookMessage {
  const id = `${origin.history}:gap:${after}:${next}`;
  const data = { after, next };
  return cloudEvent(origin, { id, kind: 'gap', seq: next - 1, type: 'pinfold.gap', time, data });
}

/** Says nothing but that it can be received. */
export function pingMessage(
  origin: MessageOrigin,
  { nonce, time, webhook }: { readonly nonce: string; readonly time: string; readonly webhook: string },
): WebhookMessage {
  const id = `${origin.history}:ping:${nonce}`;
  return cloudEvent(origin, { id, kind: 'ping', seq: null, type: 'pinfold.ping', time, data: { webhook } });
}

function cloudEvent(
  { node, history }: MessageOrigin,
  {
    kind,
    seq,
    data,
    ...attributes
  }: Omit<WebhookMessage, 'body'> & {
    readonly time: string;
    readonly subject?: string;
    readonly data: unknown;
  },
): WebhookMessage {
  const { id, type } = attributes;
  const body = JSON.stringify({
    specversion: '1.0',
    ...attributes,
    source: `urn:pinfold:${encodeURIComponent(node)}:${history}`,
    datacontenttype: 'application/json',
    // The extension "sequence": a text whose order is that of the events.
    ...(seq === null ? {} : { sequence: String(seq).padStart(16, '0') }),
    data,
  });
  return { id, kind, seq, type, body };
}

const plurals: Readonly<Record<string, string>> = {
  map: 'maps',
  program: 'programs',
  link: 'links',
  btf: 'btfs',
};

/** The subject as the API addresses it below `/v1/`: `pins/tc/globals/map`, `maps/5`. */
function subjectOf({ subject }: EventDocument): string | undefined {
  const { path, path_bytes: bytes, kind, id } = subject;
  if (bytes !== undefined) return `pins/${urlOf(decodePath(Buffer.from(bytes, 'base64')))}`;
  if (path !== undefined) return `pins/${urlOf(decodePath(Buffer.from(path, 'utf8')))}`;
  return kind === undefined || id === undefined ? undefined : `${plurals[kind] ?? kind}/${id}`;
}

/** What was a path when the event was written is one. */
function decodePath(bytes: Uint8Array): PinPath {
  return Buffer.from(bytes).toString('latin1') as PinPath;
}
