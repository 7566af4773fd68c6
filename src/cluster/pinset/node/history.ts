import type { Agent } from '../../../agent/agent.ts';
import type { Clock } from '../../../model/clock.ts';
import type { ClusterName } from '../../../model/cluster/key.ts';
import { newsOfPinSet, type ToldPinSet } from '../../../model/cluster/pinset/news.ts';
import { isMeantFor } from '../../../model/cluster/pinset/select.ts';
import { isRecord } from '../../../model/record.ts';
import type { Labels } from '../../../model/schema/common.ts';
import type { NewEvent } from '../../../model/schema/event.ts';
import type { DesiredDocument, RolloutDocument } from '../../../model/schema/pinset.ts';

/** What a node's history of pin sets is written with. */
export interface PinSetHistoryParts {
  readonly agent: Pick<Agent, 'store' | 'statistics'>;
  readonly labels: Labels;
  readonly clock: Clock;
}

/** Where it is kept what was told, so that a restart tells nothing again. */
const setting = 'pinsets_told';

/**
 * Writes into this node's history what people want of it: each pin set that is meant for it, or was, when it
 * is wanted, changed, deleted, paused, resumed and rolled out.
 */
export class PinSetHistory {
  readonly #parts: PinSetHistoryParts;
  #told: ReadonlyMap<string, ToldPinSet> | undefined;

  constructor(parts: PinSetHistoryParts) {
    this.#parts = parts;
  }

  /** Takes what the store says of all sets now. @throws PinfoldError storage_full, storage_failed */
  hear(
    desired: ReadonlyMap<ClusterName, DesiredDocument>,
    rollouts: ReadonlyMap<ClusterName, RolloutDocument>,
  ): void {
    const { agent, labels, clock } = this.#parts;
    const { store, statistics } = agent;
    this.#told ??= parseTold(store.settings.get(setting));
    const time = clock.now().toISOString();
    const next = new Map<string, ToldPinSet>();
    const events: NewEvent[] = [];
    for (const [name, document] of desired) {
      const told = this.#told.get(name);
      if (told === undefined && !isMeantFor(document.spec, labels)) continue;
      const heard = { name, desired: document, rollout: rollouts.get(name), time };
      const news = newsOfPinSet(told, heard);
      events.push(...news.events);
      if (isMeantFor(document.spec, labels) || news.events.length === 0) next.set(name, news.told);
    }
    const text = JSON.stringify(Object.fromEntries(next));
    if (text === JSON.stringify(Object.fromEntries(this.#told))) return;
    const written = store.transaction(() => {
      store.settings.set(setting, text);
      return store.events.append(events);
    });
    this.#told = next;
    if (written.length > 0) statistics.announce(written);
  }
}

function parseTold(text: string | undefined): ReadonlyMap<string, ToldPinSet> {
  const stored: unknown = JSON.parse(text ?? '{}');
  const all = isRecord(stored) ? Object.entries(stored) : [];
  return new Map(all.filter((entry): entry is [string, ToldPinSet] => isTold(entry[1])));
}

function isTold(value: unknown): value is ToldPinSet {
  if (!isRecord(value)) return false;
  const { generation, isDeleted, rollout } = value;
  return typeof generation === 'number' && typeof isDeleted === 'boolean' && typeof rollout === 'string';
}
