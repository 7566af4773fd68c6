import { type Static, Type } from 'typebox';
import { oneOf, Time } from './common.ts';

/** What a path held: something, nothing, or what nobody can tell any more. */
export const pinStates = ['present', 'absent', 'unknown'] as const;

/** The pin as history has it: a document as it was written then. */
const PinThen = Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]);

/** The event by which a state began or ended. */
const Turn = Type.Object({
  seq: Type.Integer({ minimum: 1 }),
  time: Time,
  type: Type.String(),
  actor: Type.String(),
});

/** A state that is known, beside a moment at which it is not. */
const KnownState = Type.Object({ state: oneOf(['present', 'absent']), pin: PinThen });

/** What a path held at a moment of history. */
export const PinThenDocument = Type.Object(
  {
    mount: Type.String(),
    path: Type.String(),
    path_bytes: Type.Optional(Type.String()),
    at: Type.String({ description: 'as it was asked: a time, or `seq:` and the number of an event' }),
    as_of_seq: Type.Optional(
      Type.Integer({ minimum: 0, description: 'the last event of then; absent where none is kept' }),
    ),
    as_of_time: Type.Optional(Time),
    state: oneOf(pinStates),
    pin: PinThen,
    since: Type.Optional(Turn),
    until: Type.Optional(Turn),
    reason: Type.Optional(Type.String({ description: 'why it is unknown' })),
    last_known: Type.Optional(KnownState),
    next_known: Type.Optional(KnownState),
  },
  { $id: 'PinThen' },
);
export type PinThenDocument = Static<typeof PinThenDocument>;
