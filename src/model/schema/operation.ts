import { type Static, Type } from 'typebox';
import { oneOf, Time } from './common.ts';

/** `applied`, `not_applied` or `unknown`: what a change came to. `running` until it is settled. */
export const Outcome = Type.Union([
  Type.Literal('running'),
  Type.Literal('applied'),
  Type.Literal('not_applied'),
  Type.Literal('unknown'),
]);
export type Outcome = Static<typeof Outcome>;

/** The kinds of changes that are journalled. */
export const operationKinds = [
  'pin',
  'replace',
  'unpin',
  'rename',
  'attributes',
  'mkdir',
  'rmdir',
  'batch',
  'claim',
  'release',
  'entry_put',
  'entry_delete',
  'entries_batch',
  'freeze',
  'quarantine',
  'restore',
  'discard',
  'gc',
] as const;
/** One of `operationKinds`. */
export type OperationKind = (typeof operationKinds)[number];

/** What `GET /v1/operations/{id}` answers. */
export const OperationDocument = Type.Object(
  {
    id: Type.String(),
    kind: oneOf(operationKinds),
    outcome: Outcome,
    started_at: Time,
    settled_at: Type.Union([Time, Type.Null()]),
    actor: Type.String(),
    request_id: Type.Union([Type.String(), Type.Null()]),
    subject: Type.Record(Type.String(), Type.Unknown()),
    accepted: Type.Array(Type.String(), { description: 'hazards the caller accepted; `force` for all' }),
    detail: Type.Union([Type.String(), Type.Null()], {
      description: 'why, where it was not applied or is not known',
    }),
  },
  { $id: 'Operation' },
);
export type OperationDocument = Static<typeof OperationDocument>;
