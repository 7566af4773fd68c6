/**
 * A whole agent that kills itself with SIGKILL right after the nth passing of a step.
 *
 * agent-victim '{"bpffs":…,"stateDir":…,"runDir":…,"dieAt":"pin.staged","nth":1}'
 *
 * It serves on `agent.sock` in `runDir` only, and says `ready` when it does.
 */

import { startAgent } from '../../../src/main.ts';
import { mergeConfig } from '../../../src/model/config.ts';
import { createLog } from '../../../src/model/log.ts';
import type { StepName } from '../../../src/model/step.ts';

/** What the agent is told. */
export interface AgentOrders {
  readonly bpffs: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly dieAt: StepName;
  readonly nth: number;
  /** Throws at this passing of a visible step of a batch, so that the batch is taken back. */
  readonly failAt?: number;
}

async function main({ bpffs, stateDir, runDir, dieAt, nth, failAt }: AgentOrders): Promise<void> {
  let passed = 0;
  let visible = 0;
  const onStep = (step: StepName): void => {
    if (step === dieAt && ++passed === nth) process.kill(process.pid, 'SIGKILL');
    if (step === 'batch.step_done' && ++visible === failAt) throw new Error('a defect at this step');
  };
  const flags = { bpffs, 'state-dir': stateDir, 'run-dir': runDir, listen: 'none', node: 'test-node' };
  const config = mergeConfig({ flags, env: {}, file: undefined, hostName: 'host' });
  const write = (line: string): void => void process.stderr.write(line);
  await startAgent(config, { log: createLog({ level: 'warn', write, now: () => new Date() }), onStep });
  process.stdout.write('ready\n');
}

const [, file = '', orders] = process.argv;
if (orders !== undefined && import.meta.filename === file) await main(JSON.parse(orders));
