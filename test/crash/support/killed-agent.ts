/**
 * A whole agent that somebody else kills: killed-agent '{"bpffs":…,"stateDir":…,"runDir":…}'
 *
 * It serves on `agent.sock` in `runDir` only, and says `listening` when requests are answered.
 */

import { startAgent } from '../../../src/main.ts';
import { mergeConfig } from '../../../src/model/config.ts';
import { createLog } from '../../../src/model/log.ts';

/** Where it lives. */
export interface Places {
  readonly bpffs: string;
  readonly stateDir: string;
  readonly runDir: string;
}

const [, file = '', places] = process.argv;
if (places !== undefined && import.meta.filename === file) {
  const { bpffs, stateDir, runDir }: Places = JSON.parse(places);
  const flags = { bpffs, 'state-dir': stateDir, 'run-dir': runDir, listen: 'none', node: 'test-node' };
  const config = mergeConfig({ flags, env: {}, file: undefined, hostName: 'host' });
  const write = (line: string): void => void process.stderr.write(line);
  await startAgent(config, { log: createLog({ level: 'error', write, now: () => new Date() }) });
  process.stdout.write('listening\n');
}
