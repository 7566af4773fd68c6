import type { Agent, Observed, Page, Slice } from '../../../agent/agent.ts';
import type { Clock } from '../../../model/clock.ts';
import { parseClusterName } from '../../../model/cluster/key.ts';
import { parsePinSet } from '../../../model/cluster/pinset/parse.ts';
import { planPinSet } from '../../../model/cluster/pinset/plan.ts';
import type { AppliedPinSet } from '../../../model/cluster/pinset/records.ts';
import { isMeantFor } from '../../../model/cluster/pinset/select.ts';
import { PinfoldError } from '../../../model/error.ts';
import type { Labels } from '../../../model/schema/common.ts';
import {
  type NodePinSet,
  type PinSet,
  type PinSetDiff,
  type PinSetStatus,
  type PinSetStep,
  planActions,
} from '../../../model/schema/pinset.ts';
import { gatherFacts, pathOfBytes, shownPath } from './facts.ts';

/** What a node's own answers about pin sets stand on. */
export interface NodePinSetParts {
  readonly agent: Pick<Agent, 'pinsets' | 'store'>;
  readonly labels: Labels;
  readonly clock: Clock;
  readonly statuses: () => ReadonlyMap<string, PinSetStatus>;
  /** Why the fleet does not hear of this node. */
  readonly trouble: () => string | undefined;
}

/** A set nobody has named yet is looked at under this name. */
const unnamed = 'unnamed';

/** What a node itself says of pin sets, from its own database; also while the fleet's store is away. */
export class NodePinSets {
  readonly #parts: NodePinSetParts;

  constructor(parts: NodePinSetParts) {
    this.#parts = parts;
  }

  /** Why the fleet does not hear of this node, or not of its pin sets; undefined while it does. */
  get trouble(): string | undefined {
    return this.#parts.trouble();
  }

  /** Those that were applied and are not gone, in order of their names. */
  list({ after = '', limit }: Slice): Observed<Page<NodePinSet>> {
    const { agent, clock } = this.#parts;
    const all = agent.store.pinsets.list().filter(({ state }) => state !== 'gone');
    const rest = all.filter(({ name }) => name > after);
    const items = rest.slice(0, limit).map((set) => this.#documentOf(set));
    const next = rest.length > limit ? items.at(-1)?.name : undefined;
    return { value: { items, next, total: all.length }, observedAt: clock.now() };
  }

  /** @throws PinfoldError pinset_not_found */
  get(name: string): NodePinSet {
    const set = this.#parts.agent.store.pinsets.find(name);
    if (set !== undefined && set.state !== 'gone') return this.#documentOf(set);
    throw new PinfoldError('pinset_not_found', {
      detail: `This node has no pin set ${JSON.stringify(name)}.`,
    });
  }

  /**
   * What this node would do if the set were applied to it now; nothing is changed.
   *
   * @throws PinfoldError invalid_input, mount_unavailable, …
   */
  async diff(json: PinSet): Promise<PinSetDiff> {
    const { agent, labels, clock } = this.#parts;
    const name = parseClusterName(json.name ?? unnamed, 'pin set');
    const spec = parsePinSet(json, name);
    const selected = isMeantFor(spec, labels);
    const { steps, drifts } = planPinSet(
      await gatherFacts({ agent, labels }, { name, spec, isWanted: selected }),
    );
    return {
      selected,
      steps: steps.flatMap(({ path, action, detail }) => {
        const shown = planActions.find((known) => known === action);
        return shown === undefined
          ? []
          : [{ path: shownPath(path), action: shown, detail } satisfies PinSetStep];
      }),
      drifts: [...drifts],
      observed_at: clock.now().toISOString(),
    };
  }

  #documentOf({ name, generation, spec }: AppliedPinSet): NodePinSet {
    const { agent, clock, statuses } = this.#parts;
    const unknown: PinSetStatus = {
      ...{ generation, seen: generation, drifts: [], detail: 'It has not been looked after yet.' },
      state: 'progressing',
      time: clock.now().toISOString(),
    };
    const made = agent.store.pinsets.listMade(name).map(({ path }) => shownPath(pathOfBytes(path)));
    return { name, generation, spec, status: statuses().get(name) ?? unknown, made };
  }
}
