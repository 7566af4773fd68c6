import type { ClusterName } from '../../../model/cluster/key.ts';
import { nobodyOf } from '../../../model/cluster/pinset/nobody.ts';
import { isMeantFor } from '../../../model/cluster/pinset/select.ts';
import { type RolloutNode, standingOf } from '../../../model/cluster/pinset/standing.ts';
import type { DesiredDocument, PinSetStatus, RolloutDocument } from '../../../model/schema/pinset.ts';
import type {
  AdoptablePinSet,
  NodePinSetState,
  PinSetCounts,
  PinSetDocument,
  PinSetOnNode,
  RolloutView,
} from '../../../model/schema/pinset-fleet.ts';
import type { PinSetBoard } from './board.ts';
import { etagOfPinSet } from './wishes.ts';

/** A pin set as the store tells it at one moment. */
export interface Seen {
  readonly name: ClusterName;
  readonly desired: DesiredDocument;
  readonly rollout: RolloutDocument | undefined;
  readonly nodes: readonly RolloutNode[];
}

/** The document of a pin set. */
export function pinSetDocument(seen: Seen): PinSetDocument {
  const { name, desired, rollout } = seen;
  const { generation, spec, time, actor, former } = desired;
  return {
    ...{ name, generation, spec, time, actor },
    ...(former === undefined ? {} : { former_generation: former.generation }),
    nodes: countsOf(nodesOf(seen)),
    ...meantForNobody(seen),
    rollout: rollout === undefined ? null : rolloutView(rollout),
    etag: etagOfPinSet(desired),
  };
}

/** Says where it is meant for no node: such a rollout goes wrong nowhere, and nobody would tell. */
export function meantForNobody({ desired, nodes }: Seen): Pick<PinSetDocument, 'nobody'> {
  const nobody = desired.deleted === true ? undefined : nobodyOf(desired.spec, nodes);
  return nobody === undefined ? {} : { nobody };
}

/** The same for who may not see what is in maps: what a map is filled with at first is left out. */
export function withoutEntries<Told extends Pick<PinSetDocument, 'spec' | 'entries_withheld'>>(
  document: Told,
): Told {
  const { pins = [] } = document.spec;
  if (pins.every(({ entries }) => entries === undefined)) return document;
  const bare = pins.map(({ entries: _, ...pin }) => pin);
  return { ...document, spec: { ...document.spec, pins: bare }, entries_withheld: true };
}

/** A rollout without what only the planner needs. */
export function rolloutView({ settling: _, ...view }: RolloutDocument): RolloutView {
  return view;
}

/**
 * What each node came to, by name: all it is meant for, and those that still have something of it. One that
 * was deleted is meant for nobody; a node that has let go of it says nothing of it any more.
 */
export function nodesOf({ desired, rollout, nodes }: Seen): readonly PinSetOnNode[] {
  return nodes.flatMap((node) => {
    const { name, labels, status } = node;
    const meant = desired.deleted !== true && isMeantFor(desired.spec, labels);
    if (!meant && status === undefined) return [];
    return [
      {
        ...{ node: name, labels, meant },
        generation: status?.generation ?? 0,
        state: stateOf(node, desired.generation),
        rollout: meant && rollout !== undefined ? partOf(node, rollout, desired.generation) : 'left_out',
        drifts: status?.drifts ?? [],
        ...(status?.more_drifts === undefined ? {} : { more_drifts: status.more_drifts }),
        ...(status?.detail === undefined ? {} : { detail: status.detail }),
        ...(status?.ahead_of_store === undefined ? {} : { ahead_of_store: status.ahead_of_store }),
        ...(status === undefined ? {} : { told_at: status.time }),
      },
    ];
  });
}

/** One that is gone is waited for, too; who is well with a former generation is not with this one. */
function partOf(node: RolloutNode, rollout: RolloutDocument, generation: number): PinSetOnNode['rollout'] {
  if (rollout.generation < generation) return 'waiting';
  const standing = standingOf(node, rollout, true);
  return standing === 'away' ? 'waiting' : (standing ?? 'left_out');
}

/** How many are how; of those it is not meant for only where it is meant for nobody. */
export function countsOf(nodes: readonly PinSetOnNode[], isDeleted = false): PinSetCounts {
  const meant = nodes.filter((node) => isDeleted || node.meant);
  const count = (wanted: NodePinSetState): number => meant.filter(({ state }) => state === wanted).length;
  return {
    total: meant.length,
    done: meant.filter(({ rollout }) => rollout === 'well').length,
    ok: count('ok'),
    progressing: count('progressing'),
    drifted: count('drifted'),
    failed: count('failed'),
    unreachable: count('unreachable'),
  };
}

/** Pin sets that nodes have applied and the store does not know, or only as they were before. */
export function adoptable(board: PinSetBoard): readonly AdoptablePinSet[] {
  return board.toldOf().flatMap((name) => {
    const stored = board.desired(name)?.document;
    const ahead = [...board.statuses(name)].filter(([, status]) => isAhead(status, stored));
    if (ahead.length === 0) return [];
    const nodes = ahead
      .map(([node, { generation, time }]) => ({ node, generation, told_at: time }))
      .sort((one, other) => other.generation - one.generation || (one.node < other.node ? -1 : 1));
    return [{ name, stored_generation: stored?.generation ?? null, nodes }];
  });
}

function isAhead({ generation, ahead_of_store: isSaid }: PinSetStatus, stored?: DesiredDocument): boolean {
  if (generation === 0) return false;
  return stored === undefined || isSaid === true || generation > stored.generation;
}

function stateOf({ state, status }: RolloutNode, generation: number): NodePinSetState {
  if (state !== 'ready') return 'unreachable';
  if (status === undefined || status.generation < generation) return 'progressing';
  return status.state;
}
