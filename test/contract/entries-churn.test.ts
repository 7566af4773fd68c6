import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { type FilledMaps, filledMaps } from '../support/entries.ts';
import { rounds } from '../support/rounds.ts';
import { streamOf } from './entries-fixture.ts';

const stable = 100_000;
/** Tries and device maps get a hundredth: there a change costs the kernel more. */
const fewStable = stable / 100;
/** Changes without which a map was not really under churn; one of a trie takes a hundred times as long. */
const changesLeast = 100_000;
const fewChangesLeast = 1000;

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

for (const { name, consistency, least = changesLeast, leastMs = 0 } of [
  { name: 'hash', consistency: 'per_bucket' },
  { name: 'sparse', consistency: 'per_bucket' },
  { name: 'percpu_hash', consistency: 'per_bucket' },
  { name: 'lru_hash', consistency: 'per_bucket' },
  { name: 'lru_percpu_hash', consistency: 'per_bucket' },
  { name: 'hash_of_maps', consistency: 'per_bucket', least: 5, leastMs: 5000 },
  { name: 'array', consistency: 'per_element' },
  { name: 'percpu_array', consistency: 'per_element' },
]) {
  test(`${name} under churn: every key that stays comes exactly once, in each of many dumps`, async () => {
    using maps = await filledMaps('churn', name, String(stable));
    const ends = performance.now() + leastMs;
    for (let round = 0; round < rounds(20) || performance.now() < ends; round++) {
      const { lines, summary } = await streamOf(agent, maps.id(name), '?key_as=u32');
      const seen = new Uint8Array(stable);
      for (const line of lines) {
        const key = Number.parseInt(line.slice('{"key":'.length), 10);
        if (key < seen.length) seen[key] = (seen[key] ?? 0) + 1;
      }
      const wrong = seen.reduce((sum, times) => sum + Number(times !== 1), 0);
      assert.equal(wrong, 0, `${wrong} keys were missed or came twice in round ${round}`);
      assert.equal(summary['consistency'], consistency);
      assert.equal(summary['complete'], true);
    }
    await assertChanged(maps, least);
  });
}

for (const name of ['lpm_trie', 'devmap_hash']) {
  test(`${name} under churn: reading ends, repeats nothing, and says what it cannot promise`, async () => {
    using maps = await filledMaps('churn', name, String(stable));
    for (let round = 0; round < rounds(20); round++) {
      const { lines, summary } = await streamOf(agent, maps.id(name));
      assert.equal(summary['consistency'], 'may_repeat');
      const keys = lines.map((line) => JSON.stringify(JSON.parse(line).key));
      assert.equal(new Set(keys).size, keys.length);
      assert.ok(summary['complete'] === true || summary['stopped'] === 'changes');
      // Bounded by what fits into the map, whatever happens to it.
      assert.ok(keys.length <= 2 * (fewStable + 8192));
    }
    await assertChanged(maps, fewChangesLeast);
  });
}

/** Ends the changes, and looks whether there were many. */
async function assertChanged(maps: FilledMaps, least: number): Promise<void> {
  maps.child.end();
  const last = await maps.child.line(/rounds/);
  assert.ok(JSON.parse(last).rounds > least, `the map was hardly changed: ${last}`);
}
