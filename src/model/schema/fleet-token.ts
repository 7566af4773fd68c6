import { type Static, Type } from 'typebox';
import { roles } from '../role.ts';
import { oneOf, Time } from './common.ts';

/** A caller's token for the fleet, as the cluster store has it (`tokens/{name}`): never the secret itself. */
export const FleetTokenDocument = Type.Object({
  role: oneOf(roles),
  sha256: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'of the secret, base64url' }),
  created_at: Time,
  expires_at: Type.Union([Time, Type.Null()]),
  created_by: Type.String({ maxLength: 300 }),
});
export type FleetTokenDocument = Static<typeof FleetTokenDocument>;
