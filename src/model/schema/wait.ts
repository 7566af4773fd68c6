import { type Static, Type } from 'typebox';
import { waitConditions } from '../word-lists.ts';
import { oneOf } from './common.ts';
import { PinDocument } from './pin.ts';

export { type WaitCondition, waitConditions } from '../word-lists.ts';

/** How a wait ended: what was there when the condition was met, or when the time was over. */
export const WaitDocument = Type.Object(
  {
    condition: oneOf(waitConditions),
    met: Type.Boolean({ description: 'false where the time was over first' }),
    pin: Type.Union([PinDocument, Type.Null()], { description: 'null where the path holds no pin' }),
    seq: Type.Integer({ minimum: 0, description: 'last event of history then; `since` of the next wait' }),
  },
  { $id: 'Wait' },
);
export type WaitDocument = Static<typeof WaitDocument>;
