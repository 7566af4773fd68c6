import type { Clock } from '../../model/clock.ts';
import type { Local } from '../../model/local.ts';
import { verifyHistory } from '../../store/verify-history.ts';
import { inspectMachine } from './inspect-machine.ts';
import { leaveMachine } from './leave-machine.ts';

/** What the command line may ask of this machine. */
export function localMachine(
  clock: Clock,
  version: string,
): Pick<Local, 'inspect' | 'leave' | 'verifyHistory'> {
  return {
    inspect: async (places) => inspectMachine(places),
    leave: async (places, options) => await leaveMachine({ places, clock, version }, options),
    verifyHistory: async (stateDir) => verifyHistory(stateDir),
  };
}
