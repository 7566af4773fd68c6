import type { Counters } from '../hazard.ts';
import { pathMembers } from '../path.ts';
import type { HolderGraph, UnpinConsequence, WhyDocument } from '../schema/holder.ts';
import type { References } from '../schema/object.ts';
import { type Account, accountOf, type Unexplained, unexplainedOf } from './account.ts';
import { type Consequence, type ConsequenceParts, consequencesFor } from './consequence.ts';
import type { ObjectKey, UnavailableFact } from './facts.ts';
import { graphAbove } from './graph.ts';
import type { ReasonParts } from './reasons.ts';
import { sentencesFor } from './sentences.ts';

/** One reading of who holds an object. */
export interface Reading extends ConsequenceParts, ReasonParts {
  readonly object: ObjectKey;
  readonly observedAt: Date;
  /** The object's counters, read together with the holders; undefined where there are none. */
  readonly counters: Counters | undefined;
  /** Why there are no counters. */
  readonly whyNoCounters: string | undefined;
  readonly unavailable: readonly UnavailableFact[];
  /** Holders came or went whenever it was read. */
  readonly hasMoved: boolean;
}

/** What was counted and what was found, as documents of objects show it. */
export function referencesOf(
  account: Account,
  counters: Counters | undefined,
  unexplained: Unexplained | undefined,
): References {
  const { pins, fds, programs, maps, links, attachments } = account;
  return {
    ...(counters === undefined ? {} : { refcnt: Number(counters.refcnt) }),
    ...(counters?.usercnt === undefined ? {} : { usercnt: Number(counters.usercnt) }),
    pins,
    fds,
    programs,
    maps,
    links,
    attachments,
    ...(unexplained === undefined ? {} : { unexplained: unexplained.users + unexplained.kernel }),
  };
}

/** The answer to `…/holders`. */
export function holderGraph(reading: Reading): HolderGraph {
  const { object, holders, labelOf, counters, whyNoCounters } = reading;
  const account = accountOf(holders.of(object));
  const unexplained = unexplainedOf(object.kind, account, counters);
  const { nodes, edges, leftOut, edgesLeftOut } = graphAbove(holders, labelOf, object);
  return {
    object: { ...object, ...labelOf(object) },
    observed_at: reading.observedAt.toISOString(),
    references: {
      ...referencesOf(account, counters, unexplained),
      ...(whyNoCounters === undefined ? {} : { unavailable: whyNoCounters }),
    },
    ...(unexplained === undefined
      ? {}
      : { unexplained: { users: unexplained.users, kernel: unexplained.kernel } }),
    nodes: [...nodes],
    edges: [...edges],
    ...(leftOut === 0 ? {} : { nodes_left_out: leftOut }),
    ...(edgesLeftOut === 0 ? {} : { edges_left_out: edgesLeftOut }),
    unavailable: reading.unavailable.map(({ what, reason }) => ({ what, reason })),
  };
}

/** The answer to `…/why`. */
export function whyDocument(reading: Reading): WhyDocument {
  const { object, counters } = reading;
  const { told: consequences, leftOut } = consequencesFor(reading, object);
  const account = accountOf(reading.holders.of(object));
  const unexplained = unexplainedOf(object.kind, account, counters);
  const isSettled = unexplained?.isSettled === true && !reading.hasMoved;
  const story = {
    object,
    consequences,
    consequencesLeftOut: leftOut,
    unexplained: unexplained === undefined ? undefined : { ...unexplained, isSettled },
    counted: counters === undefined ? undefined : Number(counters.refcnt),
    unavailable: reading.unavailable,
  };
  return {
    ...holderGraph(reading),
    sentences: [...sentencesFor(reading, story)],
    if_unpinned: consequences.flatMap((each) => consequenceDocuments(reading, each)),
    ...(leftOut === 0 ? {} : { if_unpinned_left_out: leftOut }),
  };
}

/** One a name: it is names that are removed. */
function consequenceDocuments({ labelOf }: Reading, consequence: Consequence): readonly UnpinConsequence[] {
  const { pin, hazards, freed, perhapsFreed, detached } = consequence;
  const refOf = (object: ObjectKey): UnpinConsequence['holds'] => ({ ...object, ...labelOf(object) });
  return pin.paths.map((path) => ({
    mount: pin.mount,
    ...pathMembers(path),
    holds: refOf(pin.object),
    hazards: [...hazards],
    detached: detached.map(refOf),
    freed: freed.map(refOf),
    perhaps_freed: perhapsFreed.map(refOf),
  }));
}
