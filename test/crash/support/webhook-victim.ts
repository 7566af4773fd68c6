/**
 * A whole agent with webhooks, to be killed from outside at any moment.
 *
 * webhook-victim '{"bpffs":…,"stateDir":…,"runDir":…}'
 *
 * It serves on `agent.sock` in `runDir` only, and says `ready` when it does.
 */

import { startAgent } from '../../../src/main.ts';
import { mergeConfig } from '../../../src/model/config.ts';
import { createLog } from '../../../src/model/log.ts';

/** What the agent is told. */
export interface WebhookVictimOrders {
  readonly bpffs: string;
  readonly stateDir: string;
  readonly runDir: string;
  /** `--webhook-allow`; all of loopback unless told. */
  readonly allow?: readonly string[];
}

async function main({
  bpffs,
  stateDir,
  runDir,
  allow = ['127.0.0.0/8'],
}: WebhookVictimOrders): Promise<void> {
  const own = { bpffs, 'state-dir': stateDir, 'run-dir': runDir, listen: 'none', node: 'test-node' };
  const flags = { ...own, 'webhook-allow': allow };
  const config = mergeConfig({ flags, env: {}, file: undefined, hostName: 'host' });
  const write = (line: string): void => void process.stderr.write(line);
  await startAgent(config, { log: createLog({ level: 'warn', write, now: () => new Date() }) });
  process.stdout.write('ready\n');
}

const [, file = '', orders] = process.argv;
if (orders !== undefined && import.meta.filename === file) await main(JSON.parse(orders));
