import { escapeText } from '../../model/escape.ts';
import type { MachineFacts } from '../../model/local.ts';
import { type Check, fail, ok, warn } from './check.ts';

/** What asking the agent for its node came to. */
export type Reached =
  | { readonly version: string; readonly readOnly: boolean; readonly observedAt: string }
  | { readonly failure: string };

/** Whether an agent answers, and is of the same version as this program. */
export function checkAgent(reached: Reached, facts: MachineFacts, ownVersion: string): Check[] {
  if ('failure' in reached) {
    const { listener } = facts;
    if (listener === undefined) {
      return [warn('agent', escapeText(reached.failure), 'Start it with `pinfold agent`, or as a service.')];
    }
    const who = listener.pid === undefined ? '' : `; it is process ${listener.pid}`;
    return [fail('agent', escapeText(reached.failure), `Look at its log${who}.`)];
  }
  const notes = reached.readOnly ? ', read-only' : '';
  const agent = ok('agent', `answers${notes}, version ${escapeText(reached.version)}`);
  if (reached.version === ownVersion) return [agent];
  const finding = `the agent is ${escapeText(reached.version)}, this program ${escapeText(ownVersion)}`;
  return [agent, warn('versions', finding, 'Restart the agent with the version that is installed.')];
}
