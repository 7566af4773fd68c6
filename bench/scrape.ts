import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountBpffs } from '../test/support/bpffs.ts';
import { tempDir } from '../test/support/temp-dir.ts';
import { startAgent } from './support/agent.ts';
import { cpuSeconds } from './support/cpu.ts';
import { makePinnedMaps } from './support/maps.ts';
import { below, inTurn, median, type Scenario } from './support/scenario.ts';

const pinsMany = 10_000;
const rounds = 50;

/** A scrape with many pins, all of them selected for series of their own: what does not fit is left out. */
export const scrape: Scenario = {
  name: 'scrape',
  run: async () => {
    const bpffs = mountBpffs();
    using holder = await makePinnedMaps(bpffs.path, pinsMany);
    holder.end();
    using dir = tempDir('bench-scrape');
    const config = join(dir.path, 'pinfold.yaml');
    writeFileSync(config, 'metrics: { pins: [{}] }\n');
    using agent = await startAgent(bpffs, 32, true, ['--config', config]);
    let series = 0;
    const ask = async (): Promise<void> => {
      const text = await agent.request('GET', '/metrics');
      if (!text.includes('pinfold_pin_info{')) throw new Error('no pin has series of its own');
      series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    };
    await ask();
    const before = cpuSeconds(agent.pid);
    const [times = []] = await inTurn([ask], rounds);
    const used = (cpuSeconds(agent.pid) - before) * 1000;
    return [
      below(`scrape with ${pinsMany} pins, median`, median(times), 100, 'ms'),
      // One more than is timed warms up.
      below(`scrape with ${pinsMany} pins, processor time`, used / (rounds + 1), 100, 'ms'),
      below(`series with ${pinsMany} pins, all selected`, series, 2000, ''),
    ];
  },
};
