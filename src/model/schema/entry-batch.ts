import { type Static, Type } from 'typebox';
import { limits } from '../limits.ts';
import { oneOf } from './common.ts';
import { EntryInput } from './map-specification.ts';

/** The media type of packed entries: key and value, or in a deletion keys alone, one behind the other. */
export const packedType = 'application/vnd.pinfold.entries';

/** One line of a batch, in JSON or NDJSON; without `op` it is a put, as a dump's lines are. */
export const EntryOperation = Type.Object(
  { op: Type.Optional(oneOf(['put', 'delete'])), ...EntryInput.properties },
  { additionalProperties: false },
);
export type EntryOperation = Static<typeof EntryOperation>;

/** Body of `POST /v1/maps/{id}/entries/batch` as one JSON document. */
export const EntryBatch = Type.Object(
  { operations: Type.Array(EntryOperation) },
  { additionalProperties: false, $id: 'EntryBatch' },
);
export type EntryBatch = Static<typeof EntryBatch>;

/** One line of a batch that was not carried out. */
export const EditFailure = Type.Object({
  index: Type.Integer({ minimum: 0, description: 'of the line or entry, counted from 0' }),
  code: Type.String({ description: 'as the single request would answer' }),
  detail: Type.String(),
});
export type EditFailure = Static<typeof EditFailure>;

/** What a batch came to. It is not atomic: each line is carried out, or fails, on its own. */
export const EntryBatchResult = Type.Object(
  {
    operation_id: Type.String(),
    atomic: Type.Literal(false),
    done: Type.Integer({ minimum: 0 }),
    failed: Type.Integer({ minimum: 0 }),
    failures: Type.Array(EditFailure, {
      maxItems: limits.editFailuresMax,
      description: `the first ${limits.editFailuresMax} of those that failed`,
    }),
  },
  { $id: 'EntryBatchResult' },
);
export type EntryBatchResult = Static<typeof EntryBatchResult>;
