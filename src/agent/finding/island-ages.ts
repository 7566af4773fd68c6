import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { WorldIsland } from '../../model/finding/world.ts';
import type { Island } from '../../model/holder/islands.ts';
import type { Store } from '../../model/store.ts';
import type { Inventory } from '../inventory/inventory.ts';

/** Under which name they are stored. */
const settingName = 'islands';

/** What is stored: the boot, and since when in it, in milliseconds, each island is seen, by what it is. */
const Remembered = Type.Object({ boot_id: Type.String(), since: Type.Record(Type.String(), Type.Number()) });

/**
 * Since when the same objects are seen to hold each other, and nothing but pins any of them; across restarts
 * of the agent, but not of the kernel, whose ids then are those of others.
 */
export class IslandAges {
  readonly #store: Pick<Store, 'settings'>;
  readonly #bootId: string;
  readonly #inventory: Inventory;
  #since: Readonly<Record<string, number>> | undefined;

  constructor(store: Pick<Store, 'settings'>, bootId: string, inventory: Inventory) {
    this.#store = store;
    this.#bootId = bootId;
    this.#inventory = inventory;
  }

  /** The islands there are now with their ages; forgets all others. Writes only where one came or went. */
  of(islands: readonly Island[], nowBootMs: number): readonly WorldIsland[] {
    const before = this.#since ?? this.#recall();
    const found = islands.map((members) => {
      const key = this.#keyOf(members);
      return { key, island: { members, sinceBootMs: before[key] ?? nowBootMs } };
    });
    this.#since = Object.fromEntries(found.map(({ key, island }) => [key, island.sinceBootMs]));
    const isSame =
      found.length === Object.keys(before).length && found.every(({ key }) => Object.hasOwn(before, key));
    if (!isSame) this.#remember(this.#since);
    return found.map(({ island }) => island);
  }

  /** An id alone is used again. */
  #keyOf(members: Island): string {
    return members
      .map(({ kind, id, references }) => {
        const { fingerprint = '' } = this.#inventory.objects.find(kind, id) ?? {};
        return `${kind}:${id} ${references} ${fingerprint}`;
      })
      .join('\n');
  }

  #recall(): Readonly<Record<string, number>> {
    const stored: unknown = JSON.parse(this.#store.settings.get(settingName) ?? 'null');
    return Value.Check(Remembered, stored) && stored.boot_id === this.#bootId ? stored.since : {};
  }

  #remember(since: Readonly<Record<string, number>>): void {
    this.#store.settings.set(settingName, JSON.stringify({ boot_id: this.#bootId, since }));
  }
}
