import type { Claim } from '../../model/claim/claim.ts';
import { type ClaimOwner, parseOwnerBytes } from '../../model/claim/owner.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { bytesOf } from '../../model/path.ts';
import type { Page, Slice } from '../agent.ts';
import type { ClaimQuery } from './contract.ts';

/**
 * One page of the claims that match. It ends early where their paths become many: a claim has up to a
 * thousand. @throws PinfoldError bad_cursor
 */
export function listClaims(claims: readonly Claim[], query: ClaimQuery, slice: Slice): Page<Claim> {
  const after = slice.after === undefined ? undefined : parsePosition(slice.after);
  const matching = claims.filter((claim) => matches(claim, query));
  const rest = after === undefined ? matching : matching.filter(({ owner }) => owner > after);
  const items: Claim[] = [];
  let paths = 0;
  for (const claim of rest) {
    if (items.length === slice.limit || paths >= limits.claimPagePinsMax) break;
    items.push(claim);
    paths += claim.pins.length;
  }
  const last = items.at(-1);
  const next = last !== undefined && items.length < rest.length ? positionOf(last.owner) : undefined;
  return { items, next, total: matching.length };
}

function matches({ labels, pins }: Claim, query: ClaimQuery): boolean {
  const { path } = query;
  if (path !== undefined && !pins.some((pin) => pin.path === path)) return false;
  return Object.entries(query.labels ?? {}).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}

function positionOf(owner: ClaimOwner): string {
  return bytesOf(owner).toString('base64url');
}

function parsePosition(text: string): ClaimOwner {
  try {
    const owner = parseOwnerBytes(Buffer.from(text, 'base64url'));
    if (positionOf(owner) === text) return owner;
  } catch (error) {
    if (isPinfoldError(error)) throw new PinfoldError('bad_cursor', {}, error);
    throw error;
  }
  throw new PinfoldError('bad_cursor');
}
