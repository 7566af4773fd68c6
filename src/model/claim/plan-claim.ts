import { PinfoldError } from '../error.ts';
import type { PinPath } from '../path.ts';
import type { Claim, ClaimedObject, ClaimedPath } from './claim.ts';
import { type BootMoment, beginLease } from './lease.ts';
import type { ClaimOwner } from './owner.ts';

/** What an owner asks for; members that are not given stay as they are. */
export interface ClaimWish {
  /** `major:minor`, or null for the primary instance. */
  readonly mount?: string | null;
  readonly paths?: readonly PinPath[];
  /** Null for a claim that stands until it is released. */
  readonly leaseMs?: number | null;
  readonly labels?: Readonly<Record<string, string>>;
  /** What is at the paths now is what is claimed, though something else was. */
  readonly adopts: boolean;
}

/** Who asks, when, and what the operation is called. */
export interface ClaimMoment {
  readonly operationId: string;
  readonly actor: string;
  /** Time of day, for people. */
  readonly at: string;
  readonly now: BootMoment;
}

/** What is at paths now: an object, or null where nothing is. A path that could not be read is not in it. */
export type Sights = ReadonlyMap<string, ClaimedObject | null>;

/** A claim as it will be. */
export interface PlannedClaim {
  readonly claim: Claim;
  readonly before: Claim | undefined;
  /** `renewed` where nothing but the deadline moves. */
  readonly change: 'made' | 'changed' | 'renewed';
}

/**
 * Decides what a `PUT` makes of the claim an owner has.
 *
 * A path keeps the object it was claimed with, so that a replacement by somebody else stays visible through
 * any number of renewals; one that was claimed empty takes the first object a renewal finds there.
 *
 * @throws PinfoldError invalid_input where it says no pins and there is no claim, or one of other pins
 */
export function planClaim(
  owner: ClaimOwner,
  before: Claim | undefined,
  asked: { readonly wish: ClaimWish; readonly sights: Sights },
  moment: ClaimMoment,
): PlannedClaim {
  const { wish, sights } = asked;
  const mount = wish.mount === undefined ? (before?.mount ?? null) : wish.mount;
  const known = before !== undefined && isSamePlace(before, mount, moment.now) ? before : undefined;
  const paths = wish.paths ?? known?.pins.map(({ path }) => path);
  if (paths === undefined) throw saysNoPins(before);
  const remembered = rememberedObjects(before, wish, moment.now);
  const pins = [...new Set(paths)].sort(byBytes).map((path): ClaimedPath => {
    return { path, object: remembered.get(path) ?? sights.get(path) ?? null };
  });
  const leaseMs = wish.leaseMs === undefined ? (before?.lease?.leaseMs ?? null) : wish.leaseMs;
  const claim: Claim = {
    owner,
    id: before?.id ?? moment.operationId,
    mount,
    bootId: moment.now.bootId,
    pins,
    lease: leaseMs === null ? null : beginLease(leaseMs, moment.now),
    labels: wish.labels ?? before?.labels ?? {},
    madeAt: before?.madeAt ?? moment.at,
    renewedAt: moment.at,
    actor: moment.actor,
  };
  return { claim, before, change: changeOf(before, claim) };
}

/** The objects that a claim goes on being of, by path: what is at other paths must be looked at. */
export function rememberedObjects(
  before: Claim | undefined,
  { mount, adopts }: Pick<ClaimWish, 'mount' | 'adopts'>,
  now: BootMoment,
): ReadonlyMap<string, ClaimedObject> {
  const place = mount === undefined ? (before?.mount ?? null) : mount;
  if (adopts || before === undefined || !isSamePlace(before, place, now)) return new Map();
  return new Map(
    before.pins.flatMap(({ path, object }) => (object === null ? [] : [[path, object] as const])),
  );
}

function isSamePlace(before: Claim, mount: string | null, now: BootMoment): boolean {
  return before.mount === mount && before.bootId === now.bootId;
}

function changeOf(before: Claim | undefined, after: Claim): PlannedClaim['change'] {
  if (before === undefined) return 'made';
  return textOf(before) === textOf(after) ? 'renewed' : 'changed';
}

/** What of a claim is more than a deadline. */
function textOf({ mount, bootId, pins, lease, labels }: Claim): string {
  const sorted = Object.entries(labels).sort(([one], [other]) => byBytes(one, other));
  return JSON.stringify([mount, bootId, pins, lease?.leaseMs ?? null, sorted]);
}

function saysNoPins(before: Claim | undefined): PinfoldError {
  const why = before === undefined ? 'there is no claim yet' : 'the claim is of another instance';
  const detail = `Say which pins are claimed: ${why}.`;
  return new PinfoldError('invalid_input', { detail, errors: [{ pointer: '/body/pins', detail: why }] });
}

function byBytes(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
