import assert from 'node:assert/strict';
import test from 'node:test';
import { mountBpffs } from './bpffs.ts';
import { counterKey, counterSampler } from './counters.ts';
import { hold } from './hold.ts';
import { untilPasses } from './until.ts';

test('the counters are those of files, pins and programs, and nothing of the sampler', async () => {
  using bpffs = mountBpffs();
  using holder = await hold('map:hash:4:8:16:pf_count:0');
  const key = counterKey('map', holder.objects[0]?.id ?? 0);
  using sampler = counterSampler();
  const seen = async (): Promise<readonly (number | undefined)[]> => {
    const counters = (await sampler.sample()).get(key);
    return [counters?.refcnt, counters?.usercnt];
  };

  assert.deepEqual(await seen(), [1, 1], 'made');
  await holder.tell(`pin:0:${bpffs.path}/m`);
  assert.deepEqual(await seen(), [2, 2], 'pinned');
  await holder.tell(`get:${bpffs.path}/m`);
  assert.deepEqual(await seen(), [3, 3], 'got by its pin');
  await holder.tell('dup:0');
  assert.deepEqual(await seen(), [3, 3], 'a duplicate of a descriptor is the same file');
  await holder.tell('prog:socket_filter:pf_user:0');
  assert.deepEqual(await seen(), [4, 3], 'used by a program');
  await holder.release();
  await untilPasses(async () => assert.deepEqual(await seen(), [1, 1], 'only the pin is left'));
});
