import assert from 'node:assert/strict';
import { type CounterSampler, counterKey } from './counters.ts';
import { hold } from './hold.ts';
import { untilPasses } from './until.ts';

/** Waits until a program and its map have been freed: whatever was let go before has been, too. */
export async function freeChain(sampler: CounterSampler): Promise<void> {
  const chain = await hold('map:hash:4:4:1:pf_last:0', 'prog:sched_cls:pf_last:0');
  const keys = chain.objects.map(({ id }, index) => counterKey(index === 0 ? 'map' : 'program', id));
  await chain.release();
  await untilPasses(
    async () => {
      const counted = await sampler.sample();
      for (const key of keys) assert.equal(counted.has(key), false);
    },
    { timeoutMs: 60_000 },
  );
}
