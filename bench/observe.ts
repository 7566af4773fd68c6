import { mountBpffs } from '../test/support/bpffs.ts';
import { type BenchAgent, startAgent } from './support/agent.ts';
import { cpuSeconds } from './support/cpu.ts';
import { makePinnedMaps } from './support/maps.ts';
import { below, type Figure, type Scenario } from './support/scenario.ts';

const mapsMany = 5000;
const settleSeconds = 15;
const restSeconds = 60;

/**
 * What the observation of each second costs with 5,000 pinned maps while nothing happens: the processor time
 * of the whole agent, and how much of the time its passes take by its own clock. Where other work shares the
 * processors, passes wait for them, and what others make and free is observed, too: the events tell how much
 * that was.
 */
export const observe: Scenario = {
  name: 'observe',
  run: async () => {
    const bpffs = mountBpffs();
    using holder = await makePinnedMaps(bpffs.path, mapsMany);
    holder.end();
    using agent = await startAgent(bpffs);
    await rest(settleSeconds);
    const before = { ...(await lookAt(agent)), cpu: cpuSeconds(agent.pid), at: performance.now() };
    await rest(restSeconds);
    const cpu = cpuSeconds(agent.pid) - before.cpu;
    const seconds = (performance.now() - before.at) / 1000;
    const { passes, events } = await lookAt(agent);
    return [
      share(`processor at rest, ${mapsMany} maps, over ${restSeconds} s`, cpu / seconds),
      plain('events meanwhile: what others made, freed and moved', events - before.events, ''),
      ...(['quick', 'full'] as const).flatMap((kind) => {
        const count = passes[kind].count - before.passes[kind].count;
        const took = passes[kind].seconds - before.passes[kind].seconds;
        if (count === 0) throw new Error(`there was no ${kind} pass in ${seconds} s`);
        return [
          share(`time in the ${count} ${kind} passes, ${mapsMany} maps`, took / seconds),
          plain(`one ${kind} pass, ${mapsMany} maps`, (took / count) * 1000),
        ];
      }),
    ];
  },
};

type Passes = Readonly<Record<'quick' | 'full', { readonly count: number; readonly seconds: number }>>;

/** Asked at rest, once before and once after: a scrape costs something itself. */
async function lookAt(agent: BenchAgent): Promise<{ readonly passes: Passes; readonly events: number }> {
  const text = await agent.request('GET', '/metrics');
  const value = (member: string, pass: string): number => {
    const line = new RegExp(
      `^pinfold_observation_duration_seconds_${member}\\{pass="${pass}"\\} (\\S+)$`,
      'm',
    );
    return Number(line.exec(text)?.[1]);
  };
  const totals = (pass: string) => ({ count: value('count', pass), seconds: value('sum', pass) });
  const events = Number(/^pinfold_history_events (\S+)$/m.exec(text)?.[1]);
  return { passes: { quick: totals('quick'), full: totals('full') }, events };
}

function share(name: string, ofOne: number): Figure {
  return below(name, 100 * ofOne, 1, '% of a core');
}

/** A number that nobody set a bound for. */
function plain(name: string, value: number, unit = 'ms'): Figure {
  return { name, ours: value, theirs: undefined, unit, result: value, target: 'none', isMet: true };
}

function rest(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
