import assert from 'node:assert/strict';
import { type ClusterName, parseClusterName } from '../../src/model/cluster/key.ts';
import { mayApply } from '../../src/model/cluster/pinset/gate.ts';
import type { ObservedPath, ObservedPin } from '../../src/model/cluster/pinset/observed.ts';
import { type PlannedStep, pathsOf, planPinSet } from '../../src/model/cluster/pinset/plan.ts';
import type { AppliedPinSet, MadePin } from '../../src/model/cluster/pinset/records.ts';
import { planRollout } from '../../src/model/cluster/pinset/rollout.ts';
import { isMeantFor } from '../../src/model/cluster/pinset/select.ts';
import { type PinPath, parsePath } from '../../src/model/path.ts';
import type {
  DesiredDocument,
  PinSet,
  PinSetStatus,
  RolloutDocument,
} from '../../src/model/schema/pinset.ts';
import type { Random } from './seed.ts';

/** Names and bounds of all worlds: small, so that everything meets everything. */
const setNames = ['a', 'b', 'c'] as const;
const nodeNames = ['n1', 'n2', 'n3', 'n4'].map((name) => parseClusterName(name));
const paths = ['p', 'q', 'r'].map(parsePath);
const time = '2026-11-23T10:00:00.000Z';
const maxUnavailable = 2;

/** A key of the store with everything it ever was; deliveries are of any of these. */
class Versions<Document> {
  readonly all: (Document | undefined)[] = [undefined];
  current = 0;
  /** The first that was written since the store came back from a backup, and what it came back with. */
  #since = 0;
  #kept = 0;

  get now(): Document | undefined {
    return this.all[this.current];
  }

  put(document: Document | undefined): void {
    this.all.push(document);
    this.current = this.all.length - 1;
  }

  /** Goes back to what it was at some time: what came after is lost, though some have heard it. */
  goBack(version: number): void {
    this.current = version;
    this.#kept = version;
    this.#since = this.all.length;
  }

  /** Whether the store knows of it: it was not written before a backup that came back, or is that backup. */
  isKnown(version: number): boolean {
    return version >= this.#since || version === this.#kept;
  }

  /** All that the store knows of. */
  get known(): readonly Document[] {
    return this.all.filter((_, version) => this.isKnown(version)).filter((one) => one !== undefined);
  }
}

/** What somebody has heard of a key. */
type Heard<Document> = Map<string, { readonly version: number; readonly document: Document | undefined }>;

/** A node: what survives its death, and what it has only heard. */
interface SimulatedNode {
  readonly name: ClusterName;
  readonly labels: Readonly<Record<string, string>>;
  readonly applied: Map<string, AppliedPinSet>;
  readonly made: Map<string, MadePin[]>;
  readonly pins: Map<PinPath, ObservedPin>;
  /** Generations it has applied and not yet come to an end of, and the rollout that it went by. */
  readonly busy: Map<string, { readonly generation: number; readonly version: number }>;
  desired: Heard<DesiredDocument>;
  rollouts: Heard<RolloutDocument>;
}

/**
 * A fleet without time: people, managers and nodes do something in any order, and hear of each other what
 * was written some time ago. `isWild` delivers anything again and in any order and takes the store back to
 * earlier states; otherwise each key is heard in the order in which it was written, as watches promise.
 */
export class PinSetWorld {
  readonly #random: Random;
  readonly #isWild: boolean;
  readonly #desired = new Map<string, Versions<DesiredDocument>>();
  readonly #rollouts = new Map<string, Versions<RolloutDocument>>();
  readonly #statuses = new Map<string, Versions<PinSetStatus>>();
  readonly #managers: Heard<PinSetStatus>[] = [new Map(), new Map()];
  readonly #nodes: readonly SimulatedNode[];
  #nextId = 1;
  #steps = 0;

  constructor(random: Random, isWild: boolean) {
    this.#random = random;
    this.#isWild = isWild;
    for (const set of setNames) {
      this.#desired.set(set, new Versions());
      this.#rollouts.set(set, new Versions());
      for (const node of nodeNames) this.#statuses.set(`${node}/${set}`, new Versions());
    }
    this.#nodes = nodeNames.map((name) => ({
      name,
      labels: { role: name === 'n4' ? 'core' : 'edge' },
      ...{ applied: new Map(), made: new Map(), pins: new Map(), busy: new Map() },
      ...{ desired: new Map(), rollouts: new Map() },
    }));
  }

  /** Steps that nodes have taken. */
  get steps(): number {
    return this.#steps;
  }

  /** Something happens, and what must hold is looked at. */
  turn(): void {
    const { int, pick } = this.#random;
    const set = pick(setNames);
    const node = pick(this.#nodes);
    const what = int(20);
    if (what < 2) this.#wish(set);
    else if (what < 7) this.#manage(set, pick(this.#managers));
    else if (what < 12) this.#tell(node, set);
    else if (what < 18) this.#pass(node);
    else if (what < 19) this.#restart(node);
    else if (this.#isWild) this.#restore();
    for (const name of setNames) {
      if (this.#isWild) this.#assertEachBounded(name);
      else this.#assertBounded(name);
    }
  }

  #wish(set: string): void {
    const { int, pick } = this.#random;
    const before = versionsOf(this.#desired, set);
    const applied = nodeNames.map(
      (node) => versionsOf(this.#statuses, `${node}/${set}`).now?.generation ?? 0,
    );
    const generation = Math.max(before.now?.generation ?? 0, ...applied) + 1;
    const isDeleted = before.now !== undefined && int(6) === 0;
    const chosen = paths.filter(() => int(2) === 0);
    const map = { type: 'hash', key_size: 4, value_size: 4, max_entries: pick([1, 2]) };
    const spec: PinSet = {
      ...pick<PinSet>([{ all: true }, { selector: { role: 'edge' } }, { selector: { role: 'core' } }, {}]),
      pins: chosen.map((path) => ({ path, map, protect: int(2) === 0 })),
      absent: paths.filter((path) => !chosen.includes(path) && int(4) === 0),
      on_schema_change: pick(['refuse', 'replace'] as const),
      prune: int(2) === 0,
      rollout: { max_unavailable: maxUnavailable, canary: int(3), pause_on_failure: int(2) === 0 },
    };
    before.put({ generation, spec, time, actor: 'test', ...(isDeleted ? { deleted: true } : {}) });
  }

  /** The leader of the moment writes by what it has heard; a write compares what is stored. */
  #manage(set: string, heard: Heard<PinSetStatus>): void {
    for (const node of nodeNames) this.#hear(heard, this.#statuses, `${node}/${set}`);
    const desired = versionsOf(this.#desired, set).now;
    if (desired === undefined) return;
    const rollouts = versionsOf(this.#rollouts, set);
    const nodes = this.#nodes.map(({ name, labels }) => ({
      ...{ name, labels, state: 'ready' as const },
      status: heard.get(`${name}/${set}`)?.document,
    }));
    const next = planRollout({ desired, nodes, current: rollouts.now, time });
    if (next !== rollouts.now) rollouts.put(next);
  }

  #tell(node: SimulatedNode, set: string): void {
    this.#hear(node.desired, this.#desired, set);
    this.#hear(node.rollouts, this.#rollouts, set);
  }

  #hear<Document>(heard: Heard<Document>, from: ReadonlyMap<string, Versions<Document>>, key: string): void {
    const { all, current } = versionsOf(from, key);
    const known = heard.get(key)?.version ?? 0;
    const version = this.#isWild
      ? this.#random.pick([current, this.#random.int(all.length)])
      : known + this.#random.int(Math.max(current - known, 0) + 1);
    heard.set(key, { version, document: all[version] });
  }

  /** One look of a node after all its sets, in order of their names. */
  #pass(node: SimulatedNode): void {
    for (const set of setNames) this.#apply(node, set);
    const acted = new Map<PinPath, string>();
    for (const [name, applied] of [...node.applied].sort(([one], [other]) => (one < other ? -1 : 1))) {
      for (const step of this.#stepsOf(node, applied)) {
        if (isOfOwner(step)) {
          assert.ok((acted.get(step.path) ?? name) === name, `two sets act on ${step.path}`);
          acted.set(step.path, name);
        }
        this.#carryOut(node, name, step);
      }
      this.#say(node, applied);
    }
  }

  #apply(node: SimulatedNode, set: string): void {
    const desired = node.desired.get(set)?.document;
    const before = node.applied.get(set)?.generation ?? 0;
    const answer = mayApply(desired, node.rollouts.get(set)?.document, node.name, before);
    if (!answer.may) return;
    const { generation, spec, deleted } = answer.desired;
    if (before === 0 && (deleted === true || !isMeantFor(spec, node.labels))) return;
    assert.ok(generation > before, `${node.name} went back from ${before} to ${generation}`);
    const state = deleted === true ? 'letting_go' : 'wanted';
    node.applied.set(set, { name: set, generation, spec, state, appliedAt: time });
    const { version = 0 } = node.rollouts.get(set) ?? {};
    if (isMeantFor(spec, node.labels) && deleted !== true) node.busy.set(set, { generation, version });
  }

  #stepsOf(node: SimulatedNode, { name, spec, state }: AppliedPinSet): readonly PlannedStep[] {
    const isMine = (set: AppliedPinSet) => set.state === 'wanted' && isMeantFor(set.spec, node.labels);
    const others = [...node.applied.values()].filter((set) => set.name !== name && isMine(set));
    const earlier = others.filter((set) => set.name < name);
    const taken = new Map(
      earlier.flatMap((set) => pathsOf(set.spec).map((path) => [path, set.name] as const)),
    );
    const { steps } = planPinSet({
      spec,
      isWanted: isMine({ name, spec, state, generation: 0, appliedAt: time }),
      made: node.made.get(name) ?? [],
      ...{ aside: new Map(), copies: new Set<PinPath>() },
      observed: new Map(paths.map((path) => [path, seenAt(node, path)])),
      takenBy: taken,
      othersWant: new Set(others.flatMap((set) => pathsOf(set.spec))),
    });
    for (const { path, action } of steps) {
      if (isOfOwner({ action }))
        assert.equal(taken.get(path), undefined, `${name} acts on ${path} of another`);
    }
    return steps;
  }

  #carryOut(node: SimulatedNode, name: string, { path, action, wanted }: PlannedStep): void {
    this.#steps++;
    const made = (node.made.get(name) ?? []).filter((pin) => pin.path !== path);
    if (action === 'make_map' || action === 'replace_map') {
      const pin = mapPin(this.#nextId++, wanted?.map?.max_entries ?? 0);
      node.pins.set(path, pin);
      node.made.set(name, [...made, { name, path, identity: pin.identity }]);
    } else if (action === 'unpin' || action === 'forget_made') {
      if (action === 'unpin') node.pins.delete(path);
      node.made.set(name, made);
    }
  }

  /** Some looks end before all is done: then the node is still busy with its generation. */
  #say(node: SimulatedNode, { name, generation }: AppliedPinSet): void {
    const isDone = this.#random.int(3) > 0;
    if (isDone) node.busy.delete(name);
    const seen = Math.max(generation, node.desired.get(name)?.document?.generation ?? 0);
    const state = isDone ? 'ok' : 'progressing';
    versionsOf(this.#statuses, `${node.name}/${name}`).put({ generation, seen, state, drifts: [], time });
  }

  /** What it has heard is gone; a new watch begins with what is stored now. */
  #restart(node: SimulatedNode): void {
    const listed = <Document>(from: ReadonlyMap<string, Versions<Document>>): Heard<Document> =>
      new Map([...from].map(([key, { now, current }]) => [key, { version: current, document: now }]));
    node.desired = listed(this.#desired);
    node.rollouts = listed(this.#rollouts);
  }

  /** The store comes back from a backup: any of its keys is what it was at some time. */
  #restore(): void {
    for (const versions of [...this.#desired.values(), ...this.#rollouts.values()])
      versions.goBack(this.#random.int(versions.all.length));
    for (const versions of this.#statuses.values()) versions.goBack(this.#random.int(versions.all.length));
  }

  /** A rollout that is under way has no more nodes changing than it may. */
  #assertBounded(set: string): void {
    const busy = this.#nodes.filter((node) => node.busy.has(set)).map(({ name }) => name);
    const isOver = versionsOf(this.#rollouts, set).now?.state === 'done';
    assert.ok(isOver || busy.length <= maxUnavailable, `${busy.join(', ')} change at a time for ${set}`);
  }

  /**
   * The same of each generation by itself: whoever hears things out of order may come to one that is not
   * wanted any more while others go to the next. Of those that were opened by what the store has lost since
   * nobody can know.
   */
  #assertEachBounded(set: string): void {
    const rollouts = versionsOf(this.#rollouts, set);
    const over = new Set(rollouts.known.filter(({ state }) => state === 'done').map((one) => one.generation));
    const busy = new Map<number, string[]>();
    for (const { name, busy: ofNode } of this.#nodes) {
      const { generation = 0, version = 0 } = ofNode.get(set) ?? {};
      if (generation === 0 || over.has(generation) || !rollouts.isKnown(version)) continue;
      busy.set(generation, [...(busy.get(generation) ?? []), name]);
    }
    for (const [generation, names] of busy) {
      const said = `${names.join(', ')} change at a time for ${set} ${generation}`;
      assert.ok(names.length <= maxUnavailable, said);
    }
  }
}

/** What only the owner of a path may do there; the rest is what a set does to itself. */
function isOfOwner({ action }: Pick<PlannedStep, 'action'>): boolean {
  return action !== 'forget_made' && action !== 'let_go' && action !== 'hold_aside';
}

function versionsOf<Document>(
  from: ReadonlyMap<string, Versions<Document>>,
  key: string,
): Versions<Document> {
  const versions = from.get(key);
  if (versions === undefined) throw new TypeError(`no key ${key}`);
  return versions;
}

function seenAt(node: SimulatedNode, path: PinPath): ObservedPath {
  const pin = node.pins.get(path);
  return pin === undefined ? { is: 'absent' } : { is: 'pin', pin };
}

function mapPin(id: number, max_entries: number): ObservedPin {
  const kind = 'map' as const;
  const identity = { instance: 'i', inode: id, pinnedAt: '0', kind, id, fingerprint: String(id) };
  const sizes = { key_size: 4, value_size: 4, max_entries };
  const map = { kind, id, type: 'hash', name: '', ...sizes, map_flags: 0, flags: [] };
  const attributes = { mode: '0600', uid: 0, gid: 0, labels: {}, owner: null };
  return { identity, kind, type: 'hash', name: '', tag: undefined, map, ...attributes, etag: String(id) };
}
