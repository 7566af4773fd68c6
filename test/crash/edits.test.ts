import assert from 'node:assert/strict';
import { request } from 'node:http';
import { extname, join } from 'node:path';
import test from 'node:test';
import { testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { bpftool, createMap } from '../support/bpftool.ts';
import { start } from '../support/process.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import type { AgentOrders } from './support/agent-victim.ts';
import { uncounted } from './support/uncounted.ts';

const victim = join(import.meta.dirname, 'support', `agent-victim${extname(import.meta.filename)}`);
const sentEntries = 1000;

test('an agent killed in the middle of a batch says that it does not know how far it came', async () => {
  using bpffs = mountBpffs();
  using state = tempDir('state');
  using run = tempDir('run');
  const { id } = createMap(join(bpffs.path, 'map'), { name: 'pf_batch', entries: 2 * sentEntries });
  // No change passes this step, so that it is this test that kills it.
  const dieAt = 'recovery.kernel_changed';
  const orders: AgentOrders = { bpffs: bpffs.path, stateDir: state.path, runDir: run.path, dieAt, nth: 1 };
  using agent = start(process.execPath, [...process.execArgv, victim, JSON.stringify(orders)], {
    env: uncounted,
  });
  await agent.line(/^ready$/, 120_000);
  const sent = request({
    socketPath: join(run.path, 'agent.sock'),
    method: 'POST',
    path: `/v1/maps/${id}/entries/batch`,
    headers: { 'content-type': 'application/x-ndjson' },
  });
  sent.on('error', () => undefined);
  for (let index = 0; index < sentEntries; index++) {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(index);
    sent.write(`${JSON.stringify({ key: key.toString('hex'), value: '00'.repeat(8) })}\n`);
  }
  const select = 'SELECT id, kind, outcome FROM operation';
  const isOpen = (rows: readonly Record<string, unknown>[]): boolean => rows[0]?.['outcome'] === 'running';
  const [open] = await until('it has begun', () => sqlite3Rows(databaseOf(state.path), select), isOpen);
  process.kill(agent.pid, 'SIGKILL');
  assert.deepEqual(await agent.exit(), { code: null, signal: 'SIGKILL' });
  await using back = await testAgent({ bpffs, stateDir: state.path });
  const told = await back.local.get(`/v1/operations/${String(open?.['id'])}`).expect(200);
  assert.deepEqual([told.body.kind, told.body.outcome], ['entries_batch', 'unknown']);
  assert.match(told.body.detail, /ended while it changed the map/);
  assert.equal(told.body.subject.id, id);
  const there = bpftool<unknown[]>('map', 'dump', 'id', String(id)).length;
  assert.ok(there <= sentEntries);
  await back.local
    .put(`/v1/maps/${id}/entries/ffffffff`)
    .send({ value: '11'.repeat(8) })
    .expect(201);
  assert.equal((await back.local.get(`/v1/maps/${id}/count`).expect(200)).body.count, there + 1);
});
