import { Type } from 'typebox';
import { parseDurationMs } from '../../model/duration.ts';
import { PinfoldError } from '../../model/error.ts';
import { roles } from '../../model/role.ts';
import { listOf, oneOf, Time } from '../../model/schema/common.ts';
import type { TokenRecord } from '../../model/store.ts';
import { answers, empty, json, list } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { PostHeaders } from '../change.ts';
import { pageQuery, sendList } from '../list.ts';
import { pageOf } from '../page.ts';
import { NoQuery } from '../params.ts';
import { hashOfSecret, newSecret } from '../token-secret.ts';

const TokenName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' });
/** A role, by its name. */
export const RoleSchema = oneOf(roles);

/** What a token is made from. */
export const TokenRequest = Type.Object(
  {
    name: TokenName,
    role: RoleSchema,
    expires_in: Type.Optional(
      Type.String({
        pattern: '^\\d{1,9}(ms|s|m|h|d)$',
        examples: ['12h', '30d'],
        description: 'for ever unless told',
      }),
    ),
  },
  { additionalProperties: false, $id: 'TokenRequest' },
);

const described = {
  name: Type.String(),
  role: RoleSchema,
  created_at: Time,
  expires_at: Type.Union([Time, Type.Null()]),
  last_used_at: Type.Union([Time, Type.Null()], { description: 'to the minute' }),
  created_by: Type.String(),
};
const TokenDocument = Type.Object(described, { $id: 'Token' });
type TokenDocument = Type.Static<typeof TokenDocument>;

/** The secret of a token that was just made. */
export const secretMember = {
  token: Type.Union([Type.String(), Type.Null()], {
    description:
      'the secret; told once and kept nowhere, so null when a repeated Idempotency-Key is answered',
  }),
};
const NewToken = Type.Object({ ...described, ...secretMember }, { $id: 'NewToken' });

/** Bearer tokens for TCP. */
export function addTokenRoutes(app: App, parts: Parts): void {
  addList(app, parts);
  addCreate(app, parts);
  addRevoke(app, parts);
}

function addList(app: App, parts: Parts): void {
  const { tokens } = parts;
  app.get('/v1/tokens', {
    config: { role: 'admin', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listTokens',
      summary: 'Tokens, without their secrets',
      tags: ['service'],
      querystring: Type.Object(pageQuery, { additionalProperties: false }),
      response: answers({ 200: list('Tokens, by name.', listOf(TokenDocument)) }),
    },
    handler: async (request, reply) =>
      await sendList(parts, request, reply, (slice) => ({
        value: pageOf(tokens.list().map(documentOf), slice),
        observedAt: parts.clock.now(),
      })),
  });
}

function addCreate(app: App, { tokens, clock }: Parts): void {
  app.post('/v1/tokens', {
    config: { role: 'admin', secrets: ['token'] },
    schema: {
      operationId: 'createToken',
      summary: 'Make a token',
      tags: ['service'],
      querystring: NoQuery,
      headers: PostHeaders,
      body: TokenRequest,
      response: answers({ 201: json('The token with its secret.', NewToken) }),
    },
    handler: async (request, reply) => {
      const secret = newSecret();
      const record = newRecord(request.body, { secret, now: clock.now(), by: request.caller.actor });
      tokens.add(record);
      reply.code(201).header('location', `/v1/tokens/${record.name}`);
      return { ...documentOf(record), token: secret };
    },
  });
}

function addRevoke(app: App, { tokens }: Parts): void {
  app.delete('/v1/tokens/:name', {
    config: { role: 'admin' },
    schema: {
      operationId: 'revokeToken',
      summary: 'Revoke a token, at once',
      tags: ['service'],
      params: Type.Object({ name: TokenName }),
      querystring: NoQuery,
      response: answers({ 204: empty('It is revoked.') }),
    },
    handler: async (request, reply) => {
      tokens.remove(request.params.name);
      reply.code(204);
      return undefined;
    },
  });
}

/** The record of a token that was asked for. @throws PinfoldError invalid_input */
export function newRecord(
  { name, role, expires_in: expiresIn }: Type.Static<typeof TokenRequest>,
  made: { readonly secret: string; readonly now: Date; readonly by: string },
): TokenRecord {
  return {
    name,
    role,
    sha256: hashOfSecret(made.secret),
    createdAt: made.now.toISOString(),
    expiresAt: expiresIn === undefined ? null : expiryOf(made.now, expiresIn),
    lastUsedAt: null,
    createdBy: made.by,
  };
}

function expiryOf(now: Date, expiresIn: string): string {
  const ms = parseDurationMs(expiresIn) ?? 0;
  const expiry = new Date(now.getTime() + ms);
  if (ms > 0 && expiry.getUTCFullYear() < 10_000) return expiry.toISOString();
  throw new PinfoldError('invalid_input', {
    detail: 'expires_in must be more than nothing and end before the year 10000.',
    errors: [{ pointer: '/body/expires_in', detail: 'is out of range' }],
  });
}

function documentOf(record: TokenRecord): TokenDocument {
  return {
    name: record.name,
    role: record.role,
    created_at: record.createdAt,
    expires_at: record.expiresAt,
    last_used_at: record.lastUsedAt,
    created_by: record.createdBy,
  };
}
