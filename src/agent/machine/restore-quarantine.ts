import { isPinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { Agent } from '../agent.ts';
import { ownContext } from '../quarantine/sweep.ts';

/**
 * Gives every pin in quarantine its name back: who leaves keeps nothing that is somebody's. Answers what got
 * its name; what could not stays, for the staging directory to be released.
 */
export async function restoreQuarantine({
  quarantine,
}: Pick<Agent, 'quarantine'>): Promise<readonly string[]> {
  const restored: string[] = [];
  let after: string | undefined;
  do {
    const page = quarantine.list({ mount: undefined }, { after, limit: limits.pageItemsDefault });
    for (const { id, mount, path } of page.items) {
      try {
        await quarantine.restore(id, ownContext);
        restored.push(nameOf(mount, path));
      } catch (error) {
        if (!isPinfoldError(error)) throw error;
      }
    }
    after = page.next;
  } while (after !== undefined);
  return restored;
}

/** A restored pin for people, as released ones are told. */
export function nameOf(mount: string, path: string): string {
  return `${mount} ${path}`;
}
