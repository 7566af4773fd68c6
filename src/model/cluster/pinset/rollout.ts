import type { NodeState } from '../../schema/cluster.ts';
import type { DesiredDocument, RolloutDocument } from '../../schema/pinset.ts';
import { isMeantFor } from './select.ts';
import { type RolloutNode, type Standing, standingOf } from './standing.ts';

/** What a rollout goes by. */
export interface RolloutFacts {
  readonly desired: DesiredDocument;
  /** All nodes of the fleet, in any order. */
  readonly nodes: readonly RolloutNode[];
  /** What is in the store; undefined where nothing is yet. */
  readonly current: RolloutDocument | undefined;
  /** The manager's time, RFC 3339. */
  readonly time: string;
}

/** A rollout before its time is set. */
type Next = Omit<RolloutDocument, 'time'>;

/** One node, and how it stands. */
interface Placed {
  readonly node: RolloutNode;
  readonly standing: Standing;
}

const defaults = { max_unavailable: 1, canary: 0, pause_on_failure: true } as const;

/** What a pause says is cut to this: RolloutDocument's bound. */
const reasonCharsMax = 500;

/**
 * Where a rollout goes from where it is, by what the nodes have told: the next document, or the very same
 * object where nothing changes. It depends on nothing else, so whoever computes it next goes on from there.
 *
 * `canary` nodes are opened first and alone; then as many as `max_unavailable` leaves beside those that
 * change, have failed or are not ready. Order is by name, but nodes that are not well anyway come first:
 * opening those costs nothing.
 */
export function planRollout(facts: RolloutFacts): RolloutDocument {
  const { desired, current, time } = facts;
  const begun = current?.generation === desired.generation ? current : beginRollout(desired, current, time);
  const next = { ...advance(begun, facts), time };
  return current !== undefined && isSame(current, next) ? current : next;
}

/** The rollout of a generation before anybody may go to it. */
export function beginRollout(
  { generation }: DesiredDocument,
  former: RolloutDocument | undefined,
  time: string,
): RolloutDocument {
  const settling = [...new Set([...(former?.open ?? []), ...(former?.settling ?? [])])].sort();
  const more = settling.length === 0 ? {} : { settling };
  return { generation, state: 'progressing', open: [], ...more, started_at: time, time };
}

/** Those that keep a rollout from going on, by name: what `resume` makes it go on over. */
export function failuresOf(rollout: RolloutDocument, facts: RolloutFacts): readonly string[] {
  return place(rollout, facts)
    .filter(({ standing }) => standing === 'failed')
    .map(({ node }) => node.name);
}

function advance(begun: RolloutDocument, facts: RolloutFacts): Next {
  const { desired } = facts;
  const { generation, started_at, resumed_by } = begun;
  const resumed = resumed_by === undefined ? {} : { resumed_by };
  const needsNoGate = desired.deleted === true || desired.spec.mode === 'observe';
  const placed = place(begun, facts);
  const waitsFor = needsNoGate ? undefined : whatItWaitsFor(facts, placed);
  const isOver =
    needsNoGate || (waitsFor === undefined && !placed.some(({ standing }) => isPending(standing)));
  if (begun.state === 'done' || (isOver && begun.paused_by === undefined))
    return { generation, state: 'done', open: [], ...resumed, started_at };

  const named = (wanted: (one: Placed) => boolean): string[] =>
    placed.filter(wanted).map(({ node }) => node.name);
  const open = named(
    ({ node, standing }) => begun.open.includes(node.name) && isPending(standing) && standing !== 'away',
  );
  const more = begun.paused_by === undefined ? toOpen(facts, placed, open) : [];
  const reason = pauseReason(begun, facts, { placed, open, more });
  const opened = reason === undefined ? [...open, ...more].sort() : open;
  const settling = named(
    ({ node: { name }, standing }) =>
      standing === 'settling' && begun.settling?.includes(name) === true && !opened.includes(name),
  );
  const tolerated = named(({ standing }) => standing === 'tolerated');
  const said = reason ?? waitsFor;
  return {
    generation,
    state: reason === undefined ? 'progressing' : 'paused',
    open: opened,
    ...(said === undefined ? {} : { reason: said }),
    ...(begun.paused_by === undefined ? {} : { paused_by: begun.paused_by }),
    ...resumed,
    ...(tolerated.length === 0 ? {} : { tolerated }),
    ...(settling.length === 0 ? {} : { settling }),
    started_at,
  };
}

/**
 * What keeps a rollout from its end though no node that is there does: those that are gone, and those that
 * may come. Once it is done all may go at once, so neither may be left out.
 */
function whatItWaitsFor({ desired, nodes }: RolloutFacts, placed: readonly Placed[]): string | undefined {
  const { spec } = desired;
  const selectsSome = spec.all === true || Object.keys(spec.selector ?? {}).length > 0;
  if (selectsSome && !nodes.some(({ labels }) => isMeantFor(spec, labels)))
    return 'no node has these labels yet';
  const pending = placed.filter(({ standing }) => isPending(standing));
  if (pending.length === 0 || pending.some(({ standing }) => standing !== 'away')) return undefined;
  const names = pending.map(({ node }) => node.name).join(', ');
  return `waits for nodes that are gone: ${names}`.slice(0, reasonCharsMax);
}

/** Every node the set is meant for and that can still come to this generation, by name. */
function place(rollout: RolloutDocument, { desired, nodes }: RolloutFacts): readonly Placed[] {
  const pausesOnFailure = desired.spec.rollout?.pause_on_failure ?? defaults.pause_on_failure;
  return nodes
    .filter(({ labels }) => isMeantFor(desired.spec, labels))
    .flatMap((node) => {
      const standing = standingOf(node, rollout, pausesOnFailure);
      return standing === undefined ? [] : [{ node, standing }];
    })
    .sort((one, other) => (one.node.name < other.node.name ? -1 : 1));
}

function isPending(standing: Standing): boolean {
  return standing !== 'well' && standing !== 'tolerated';
}

/**
 * Why it does not go on by itself; undefined while it does. A person's pause ends by a person; one because of
 * failures also when all that were opened are well after all. Where failures do not pause it, it is paused
 * when nothing but them is left to wait for.
 */
function pauseReason(
  begun: RolloutDocument,
  { desired }: RolloutFacts,
  at: {
    readonly placed: readonly Placed[];
    readonly open: readonly string[];
    readonly more: readonly string[];
  },
): string | undefined {
  if (begun.paused_by !== undefined) return begun.reason ?? `paused by ${begun.paused_by}`;
  const { placed, open, more } = at;
  const failed = placed.filter(({ standing }) => standing === 'failed');
  const pausesOnFailure = desired.spec.rollout?.pause_on_failure ?? defaults.pause_on_failure;
  if (failed.length > 0 && (pausesOnFailure || isStuck(placed, more))) return reasonOf(failed);
  return begun.state === 'paused' && open.length > 0 ? begun.reason : undefined;
}

/** Nothing changes, and nothing will without a person. */
function isStuck(placed: readonly Placed[], more: readonly string[]): boolean {
  if (more.length > 0) return false;
  return placed.every(({ node, standing }) => {
    const isAway = node.state !== 'ready' && standing === 'waiting';
    return !isAway && standing !== 'changing' && standing !== 'settling';
  });
}

function reasonOf(failed: readonly Placed[]): string {
  const said = failed.map(({ node: { name, state, status } }) => {
    const [drift] = status?.drifts ?? [];
    const drifted = drift === undefined ? undefined : `${drift.path} ${drift.code}`;
    const why = state === 'gone' ? 'gone since it was opened' : (status?.detail ?? drifted);
    return why === undefined ? name : `${name} (${why})`;
  });
  return `failed: ${said.join(', ')}`.slice(0, reasonCharsMax);
}

/** Who may go now. */
function toOpen({ desired }: RolloutFacts, placed: readonly Placed[], open: readonly string[]): string[] {
  const { max_unavailable: most, canary } = { ...defaults, ...desired.spec.rollout };
  const passed = placed.filter(({ node, standing }) => isPassed(node.state, standing)).length;
  const away = new Set(placed.filter(isUnavailable).map(({ node }) => node.name));
  const changing = new Set([
    ...open,
    ...placed.filter(({ standing }) => standing === 'settling').map(({ node }) => node.name),
  ]);
  const candidates = placed
    .filter(({ node, standing }) => node.state === 'ready' && isWaiting(standing))
    .filter(({ node }) => !open.includes(node.name))
    .map(({ node }) => node.name);
  const unwellFirst = [
    ...candidates.filter((name) => away.has(name)),
    ...candidates.filter((name) => !away.has(name)),
  ];
  const opened: string[] = [];
  for (const name of unwellFirst) {
    if (passed < canary && passed + open.length + opened.length >= canary) break;
    const fits = away.has(name) || away.size < most;
    if (!fits || (changing.size >= most && !changing.has(name))) continue;
    opened.push(name);
    away.add(name);
    changing.add(name);
  }
  return opened;
}

/** A canary that has done its part: it is there and well, or a person went on over it. */
function isPassed(state: NodeState, standing: Standing): boolean {
  return standing === 'tolerated' || (standing === 'well' && state === 'ready');
}

function isWaiting(standing: Standing): boolean {
  return standing === 'waiting' || standing === 'settling';
}

function isUnavailable({ node, standing }: Placed): boolean {
  if (standing === 'tolerated' || standing === 'away') return false;
  if (node.state !== 'ready' || standing === 'failed') return true;
  if (standing === 'changing' || standing === 'settling') return true;
  return standing === 'waiting' && node.status !== undefined && node.status.state !== 'ok';
}

function isSame(one: RolloutDocument, other: RolloutDocument): boolean {
  const textOf = ({ generation, state, open, reason, paused_by, tolerated, settling }: RolloutDocument) =>
    JSON.stringify([generation, state, open, reason ?? '', paused_by ?? '', tolerated ?? [], settling ?? []]);
  return textOf(one) === textOf(other);
}
