import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import test from 'node:test';
import supertest from 'supertest';
import type { StepName } from '../../src/model/step.ts';
import { testAgent } from '../support/agent.ts';
import { type Bpffs, mountBpffs } from '../support/bpffs.ts';
import { type BpftoolMap, bpftool, pinnedMap } from '../support/bpftool.ts';
import { start } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';
import type { AgentOrders } from './support/agent-victim.ts';
import { uncounted } from './support/uncounted.ts';

const victim = join(import.meta.dirname, 'support', `agent-victim${extname(import.meta.filename)}`);
const entries = Array.from({ length: 100_000 }, (_, index) => ({ key: index, value: index }));
const specification = {
  type: 'hash',
  key_size: 4,
  value_size: 4,
  max_entries: entries.length,
  entries,
  key_as: 'u32',
  value_as: 'u32',
  freeze: true,
  pin: { path: 'born' },
};

/** Where the agent dies; `filling` is while entries are put in, which has no step of its own. */
const deaths: readonly (StepName | 'filling')[] = [
  'filling',
  'pin.source_held',
  'pin.intent_committed',
  'pin.staged',
  'pin.attributes_set',
  'pin.named',
  'pin.settled',
];

for (const [index, death] of deaths.entries()) {
  test(`an agent killed at ${death} leaves no map, or one that is whole`, async () => {
    using bpffs = mountBpffs();
    using state = tempDir('state');
    const name = `pf_born_${process.pid % 1000}_${index}`;
    const answer = await killDuring(death, { bpffs, stateDir: state.path, name });
    await using back = await testAgent({ bpffs, stateDir: state.path });
    const isPinned = readdirSync(bpffs.path).includes('born');
    // Filling may be over, and answered, before it is seen from outside; every other place is exact.
    if (answer !== undefined) assert.deepEqual([death, answer, isPinned], ['filling', 201, true]);
    if (death !== 'filling') assert.equal(isPinned, !/source_held|intent_committed/.test(death));
    if (!isPinned) {
      await until('the map is gone', () => mapsNamed(name).length === 0);
      return;
    }
    const map = pinnedMap(join(bpffs.path, 'born'));
    assert.deepEqual([map.name, map.frozen], [name, 1]);
    const dump = bpftool<unknown[]>('map', 'dump', 'id', String(map.id));
    assert.equal(dump.length, entries.length);
    await untilPasses(async () => {
      const { body } = await back.local.get(`/v1/maps/${map.id}`).expect(200);
      assert.deepEqual(body.references, { ...body.references, refcnt: 1, usercnt: 1 });
    });
  });
}

interface Scene {
  readonly bpffs: Bpffs;
  readonly stateDir: string;
  readonly name: string;
}

/** The status of the answer, where there was one before the agent died. */
async function killDuring(
  death: StepName | 'filling',
  { bpffs, stateDir, name }: Scene,
): Promise<number | undefined> {
  using run = tempDir('run');
  const dieAt = death === 'filling' ? 'recovery.kernel_changed' : death;
  const orders: AgentOrders = { bpffs: bpffs.path, stateDir, runDir: run.path, dieAt, nth: 1 };
  using agent = start(process.execPath, [...process.execArgv, victim, JSON.stringify(orders)], {
    env: uncounted,
  });
  await agent.line(/^ready$/, 120_000);
  const socket = `http+unix://${encodeURIComponent(join(run.path, 'agent.sock'))}`;
  const answer = supertest
    .agent(socket)
    .post('/v1/maps')
    .send({ ...specification, name })
    .then(
      ({ status }) => status,
      () => undefined,
    );
  if (death === 'filling') {
    await until('the map is being filled', () => mapsNamed(name).length === 1, Boolean, { everyMs: 1 });
    process.kill(agent.pid, 'SIGKILL');
  }
  assert.deepEqual(await agent.exit(), { code: null, signal: 'SIGKILL' });
  return await answer;
}

function mapsNamed(name: string): readonly BpftoolMap[] {
  return bpftool<BpftoolMap[]>('map', 'show').filter((map) => map.name === name);
}
