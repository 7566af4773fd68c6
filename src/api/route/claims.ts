import { Type } from 'typebox';
import type { ClaimAsked, ReleaseResult } from '../../agent/claim/contract.ts';
import { forPart } from '../../agent/operation/about.ts';
import { requestedPath } from '../../agent/operation/requested-path.ts';
import { type ClaimOwner, ownerMembers, parseUrlOwner, urlOfOwner } from '../../model/claim/owner.ts';
import { durationText, parseDurationMs } from '../../model/duration.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { type PinPath, parsePath, pathMembers } from '../../model/path.ts';
import { ClaimDocument, ClaimRequest, ReleaseDocument } from '../../model/schema/claim.ts';
import { listOf } from '../../model/schema/common.ts';
import { answers, changed, list, tagged } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { ChangeHeaders, changeQuery, contextOf, mountQuery, PlanDocument, planOf } from '../change.ts';
import { pageQuery, sendList } from '../list.ts';
import { NoQuery } from '../params.ts';
import { labelQuery, parseLabelQuery } from '../query.ts';

const closed = { additionalProperties: false } as const;

const OwnerParams = Type.Object({
  owner: Type.String({
    description: `percent-encoded byte by byte; any bytes but NUL, ${limits.claimOwnerBytesMax} at most`,
  }),
});

const ClaimsQuery = Type.Object(
  {
    ...pageQuery,
    ...labelQuery,
    pin: Type.Optional(Type.String({ description: 'claims that name this path' })),
  },
  closed,
);

/** Claims: the list, and each owner's. */
export function addClaimRoutes(app: App, parts: Parts): void {
  addList(app, parts);
  addGet(app, parts);
  addPut(app, parts);
  addDelete(app, parts);
}

function addList(app: App, parts: Parts): void {
  app.get('/v1/claims', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listClaims',
      summary: 'Who needs which pins, and what their paths held at the last observation',
      tags: ['time'],
      querystring: ClaimsQuery,
      response: answers({ 200: list('Claims, by owner in byte order.', listOf(ClaimDocument)) }),
    },
    handler: async (request, reply) => {
      const { pin } = request.query;
      const labels = parseLabelQuery(request.query.label);
      const query = {
        ...(labels === undefined ? {} : { labels }),
        ...(pin === undefined ? {} : { path: parsePath(pin) }),
      };
      return await sendList(parts, request, reply, (slice) => parts.agent.claims.list(query, slice));
    },
  });
}

function addGet(app: App, { agent }: Parts): void {
  app.get('/v1/claims/:owner', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'getClaim',
      summary: 'An owner’s claim, with what its paths hold, read from the kernel',
      tags: ['time'],
      params: OwnerParams,
      querystring: NoQuery,
      response: answers({ 200: tagged('The claim.', ClaimDocument) }),
    },
    handler: async (request, reply) => {
      const document = await agent.claims.get(parseUrlOwner(request.params.owner));
      reply.header('etag', document.etag);
      return document;
    },
  });
}

function addPut(app: App, { agent }: Parts): void {
  app.put('/v1/claims/:owner', {
    config: { role: 'operator' },
    schema: {
      operationId: 'putClaim',
      summary: 'Claim pins, renew a claim, or change it; what is left out stays',
      tags: ['time'],
      params: OwnerParams,
      querystring: Type.Object({ ...mountQuery, dry_run: changeQuery.dry_run }, closed),
      headers: ChangeHeaders,
      body: ClaimRequest,
      response: answers({
        200: changed(
          'The claim, which was there already; or the plan.',
          Type.Union([ClaimDocument, PlanDocument]),
        ),
        201: changed('The new claim.', ClaimDocument),
      }),
    },
    handler: async (request, reply) => {
      const owner = parseUrlOwner(request.params.owner);
      const asked = askedOf(request.body, request.query.mount);
      const { operationId, plan, claim, created } = await agent.claims.put(owner, asked, contextOf(request));
      if (operationId !== undefined) reply.header('pinfold-operation', operationId);
      if (plan !== undefined) return planOf(plan);
      if (claim !== undefined) reply.header('etag', claim.etag);
      if (created) reply.code(201).header('location', `/v1/claims/${urlOfOwner(owner)}`);
      return claim;
    },
  });
}

function addDelete(app: App, { agent }: Parts): void {
  app.delete('/v1/claims/:owner', {
    config: { role: 'operator' },
    schema: {
      operationId: 'releaseClaim',
      summary: 'Release a claim; with unpin=unclaimed remove what nobody else claims, all of it or nothing',
      tags: ['time'],
      params: OwnerParams,
      querystring: Type.Object({ ...changeQuery, unpin: Type.Optional(Type.Literal('unclaimed')) }, closed),
      headers: ChangeHeaders,
      response: answers({
        200: changed(
          'What was unpinned and what was not; or the plan.',
          Type.Union([ReleaseDocument, PlanDocument]),
        ),
        204: changed('It is released.'),
      }),
    },
    handler: async (request, reply) => {
      const owner = parseUrlOwner(request.params.owner);
      const unpins = request.query.unpin !== undefined;
      const result = await agent.claims.release(owner, { unpins }, contextOf(request));
      if (result.operationId !== undefined) reply.header('pinfold-operation', result.operationId);
      if (result.plan !== undefined) return planOf(result.plan);
      if (unpins) return releaseDocument(owner, result);
      reply.code(204);
      return undefined;
    },
  });
}

/** @throws PinfoldError bad_path, invalid_input */
function askedOf({ pins, lease, labels, adopt }: ClaimRequest, mount: string | undefined): ClaimAsked {
  return {
    mount,
    adopts: adopt === true,
    ...(pins === undefined ? {} : { paths: pins.map((pin, index) => pathOf(pin, `/body/pins/${index}`)) }),
    ...(lease === undefined ? {} : { leaseMs: lease === null ? null : parseLease(lease) }),
    ...(labels === undefined ? {} : { labels }),
  };
}

function pathOf(pin: NonNullable<ClaimRequest['pins']>[number], pointer: string): PinPath {
  return typeof pin === 'string'
    ? forPart(pointer, () => parsePath(pin))
    : requestedPath(pin, 'path', pointer);
}

function parseLease(text: string): number {
  const ms = parseDurationMs(text) ?? 0;
  const { leaseMsMin, leaseMsMax } = limits;
  if (ms >= leaseMsMin && ms <= leaseMsMax) return ms;
  const bounds = `${durationText(leaseMsMin)} to ${durationText(leaseMsMax)}`;
  const detail = `lease is a time such as 10m, from ${bounds}.`;
  throw new PinfoldError('invalid_input', { detail, errors: [{ pointer: '/body/lease', detail }] });
}

function releaseDocument(owner: ClaimOwner, { unpinned, kept }: ReleaseResult): ReleaseDocument {
  return {
    ...ownerMembers(owner),
    unpinned: unpinned.map(pathMembers),
    kept: kept.map(({ path, reason, detail }) => ({ ...pathMembers(path), reason, detail })),
  };
}
