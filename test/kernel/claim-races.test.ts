import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test, { after } from 'node:test';
import type { ChangeContext } from '../../src/agent/agent.ts';
import { parseOwner } from '../../src/model/claim/owner.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { parsePath } from '../../src/model/path.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { rounds } from '../support/rounds.ts';
import { random, testSeed } from '../support/seed.ts';
import { turn } from '../support/turn.ts';
import { asking } from './changes-fixture.ts';

const agent: TestAgent = await testAgent();
after(() => agent[Symbol.asyncDispose]());

const { id } = createMap(`${agent.bpffs.path}/source`, { name: 'pf_race' });
const { claims, changes } = agent.agent;
const { pick, int } = random(testSeed());
const context: ChangeContext = asking();
const wanted = parsePath('wanted');
const isThere = (): boolean => existsSync(`${agent.bpffs.path}/wanted`);

const leaver = parseOwner('leaver');
const comer = parseOwner('comer');

/** Claims the pin after some turns of the event loop; tells what the claim says of it. */
async function come(turns: number): Promise<string | undefined> {
  for (let count = 0; count < turns; count++) await turn();
  const { claim } = await claims.put(comer, { mount: undefined, paths: [wanted], adopts: false }, context);
  return claim?.pins[0]?.state;
}

/** Takes the pin away: by a release, or by removing it; tells whether it went. */
async function take(way: 'release' | 'unpin'): Promise<boolean> {
  if (way === 'release') {
    const { unpinned } = await claims.release(leaver, { unpins: true }, context);
    return unpinned.length === 1;
  }
  try {
    await changes.unpin(wanted, undefined, context);
    return true;
  } catch (error) {
    if (isPinfoldError(error, 'hazard')) return false;
    throw error;
  }
}

test('a claim that says its pin is there keeps it, whoever takes pins away at the same time', async (t) => {
  const counts = { kept: 0, gone: 0 };
  for (let round = 0; round < rounds(200); round++) {
    if (!isThere()) await changes.pin(wanted, undefined, { source: { kind: 'map', id } }, context);
    const way = pick(['release', 'unpin'] as const);
    if (way === 'release')
      await claims.put(leaver, { mount: undefined, paths: [wanted], adopts: false }, context);
    const [state, hasGone] = await Promise.all([come(int(4)), take(way)]);
    assert.equal(state, hasGone ? 'absent' : 'present');
    assert.equal(isThere(), !hasGone);
    counts[hasGone ? 'gone' : 'kept'] += 1;
    await claims.release(comer, { unpins: false }, context);
  }
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.kept > 0 && counts.gone > 0, 'both came about');
});

test('a page of claims ends with the claim that reaches the limit of paths', async () => {
  const paths = Array.from({ length: limits.claimPinsMax }, (_, index) => parsePath(`p${index}`));
  const full = limits.claimPagePinsMax / limits.claimPinsMax;
  const owners = Array.from({ length: full + 1 }, (_, index) => parseOwner(`page-${100 + index}`));
  for (const owner of owners) await claims.put(owner, { mount: undefined, paths, adopts: false }, context);
  const { value } = claims.list({}, { after: undefined, limit: 500 });
  assert.deepEqual([value.items.length, value.total], [full, full + 1]);
  const rest = claims.list({}, { after: value.next, limit: 500 });
  assert.deepEqual(
    [rest.value.items.map(({ owner }) => owner), rest.value.next],
    [owners.slice(full), undefined],
  );
});
