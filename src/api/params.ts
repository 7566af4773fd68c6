import { Type } from 'typebox';

/** The path of a pin or directory in a URL; `target.ts` brings it here as it was sent, escapes and all. */
export const PathParams = Type.Object({
  path: Type.String({
    description: 'names joined by slashes, each percent-encoded byte by byte; %2F equals /',
  }),
});

/** The kernel's id of an object. */
export const IdParams = Type.Object({
  id: Type.String({
    pattern: '^[1-9]\\d{0,9}$',
    examples: ['4711'],
    description: 'the kernel’s id of the object; ids are reused',
  }),
});

/** The name of a webhook in a URL. */
export const WebhookParams = Type.Object({
  name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' }),
});

/** For routes whose query has no members: any key is 422. */
export const NoQuery = Type.Object({}, { additionalProperties: false });
