import { type Static, Type } from 'typebox';
import { oneOf, Time } from './common.ts';

/** Everything that history tells of; `docs/api.md` says when each is told. */
export const eventTypes = [
  'pin.created',
  'pin.removed',
  'pin.replaced',
  'pin.renamed',
  'pin.changed',
  'pin.quarantined',
  'pin.restored',
  'pin.discarded',
  'object.appeared',
  'object.gone',
  'link.dead',
  'map.near_full',
  'entry.changed',
  'map.frozen',
  'node.started',
  'node.stopped',
  'mount.appeared',
  'mount.gone',
  'claim.made',
  'claim.renewed',
  'claim.released',
  'claim.expired',
  'finding.opened',
  'finding.resolved',
  'webhook.disabled',
  'pinset.created',
  'pinset.updated',
  'pinset.deleted',
  'pinset.paused',
  'pinset.resumed',
  'pinset.rolled_out',
] as const;
/** One of `eventTypes`. */
export type EventType = (typeof eventTypes)[number];

/** What an event is about. */
export const EventSubject = Type.Object({
  mount: Type.Optional(Type.String()),
  path: Type.Optional(Type.String()),
  path_bytes: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String()),
  id: Type.Optional(Type.Integer()),
  type: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
});
export type EventSubject = Static<typeof EventSubject>;

/**
 * One line of history. `before` and `after` are the documents of the subject, null where there was or is
 * none.
 */
export const EventDocument = Type.Object(
  {
    seq: Type.Integer({ minimum: 1 }),
    time: Time,
    node: Type.String(),
    boot_id: Type.String(),
    type: oneOf(eventTypes),
    subject: EventSubject,
    before: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
    after: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
    actor: Type.String({ description: '`api:token-name`, `uid:0 pid:123 comm:tc`, `kernel` or `unknown`' }),
    unit: Type.Optional(
      Type.String({ description: 'systemd unit of the process in `actor`, where it has one' }),
    ),
    operation_id: Type.Optional(Type.String()),
  },
  { $id: 'Event' },
);
export type EventDocument = Static<typeof EventDocument>;

/** An event before the log has numbered and stamped it. */
export type NewEvent = Omit<EventDocument, 'seq' | 'node' | 'boot_id'>;
