import assert from 'node:assert/strict';
import { extname, join } from 'node:path';
import test from 'node:test';
import supertest from 'supertest';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { type Child, start } from '../support/process.ts';
import { type Answer, answering, firstArrivals, startReceiver } from '../support/receiver.ts';
import { rounds } from '../support/rounds.ts';
import { random, testSeed } from '../support/seed.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { uncounted } from './support/uncounted.ts';
import type { WebhookVictimOrders } from './support/webhook-victim.ts';

const victim = join(import.meta.dirname, 'support', `webhook-victim${extname(import.meta.filename)}`);
const lives = rounds(3);
const dice = random(testSeed());
/** Agents see every bpffs of the machine: only pins below this are of this file. */
const own = `hook${process.pid}`;

/** When a life ends: at its nth request, before it is answered, with the answer, or a little later. */
interface End {
  left: number;
  readonly when: 'before' | 'with' | 'after';
  readonly kill: () => void;
}

test(`an agent killed ${lives} times while it sends loses no event, and keeps the order`, async () => {
  using bpffs = mountBpffs();
  using state = tempDir('state');
  using run = tempDir('run');
  createMap(`${bpffs.path}/source`, { name: 'pf_hook' });
  let end: End | undefined;
  const answer: Answer = (...all) => {
    const dies = end !== undefined && end.left-- === 0 ? end : undefined;
    if (dies?.when === 'before') return dies.kill();
    answering(204)(...all);
    if (dies?.when === 'with') dies.kill();
    if (dies?.when === 'after') setImmediate(() => setImmediate(dies.kill));
  };
  await using receiver = await startReceiver({ answer });
  const orders: WebhookVictimOrders = { bpffs: bpffs.path, stateDir: state.path, runDir: run.path };
  const client = supertest.agent(`http+unix://${encodeURIComponent(join(run.path, 'agent.sock'))}`);
  const live = async (): Promise<Child> => {
    const agent = start(process.execPath, [...process.execArgv, victim, JSON.stringify(orders)], {
      env: uncounted,
    });
    await agent.line(/^ready$/, 120_000);
    return agent;
  };
  for (let life = 0; life < lives; life++) {
    using agent = await live();
    if (life === 0) await client.put('/v1/webhooks/all').send({ url: receiver.url, prefix: own }).expect(201);
    const when = (['before', 'with', 'after'] as const)[life % 3] ?? 'before';
    end = { left: 20 + dice.int(40), when, kill: () => agent.kill() };
    await changeUntilDead(agent, client);
    assert.deepEqual(await agent.exit(), { code: null, signal: 'SIGKILL' });
  }
  end = undefined;
  using agent = await live();
  const left = async () => (await client.get('/v1/webhooks/all').expect(200)).body.backlog;
  await until('the end of the log', left, (backlog) => backlog === 0, { timeoutMs: 60_000 });
  agent.kill();
  await agent.exit();
  const seqs = receiver.received.map(({ seq }) => seq ?? 0);
  const select = `SELECT seq FROM event WHERE CAST(path AS TEXT) LIKE '${own}/%' ORDER BY seq`;
  const logged = sqlite3Rows(databaseOf(state.path), select).map(({ seq }) => seq);
  assert.ok(logged.length >= 20 * lives, `${logged.length} events`);
  assert.deepEqual(firstArrivals(receiver.received), logged, 'each that is in the log, in its order');
  assert.deepEqual(
    seqs,
    [...seqs].sort((a, b) => a - b),
    'what is sent twice is sent twice in a row',
  );
  const twice = seqs.length - logged.length;
  assert.ok(twice <= lives, `${twice} of ${seqs.length} were sent twice`);
});

/** Makes and removes pins for as long as somebody answers. */
async function changeUntilDead(agent: Child, client: ReturnType<typeof supertest.agent>): Promise<void> {
  for (let nth = 0; agent.ended() === undefined; nth++) {
    const path = `/v1/pins/${own}/p${nth % 7}`;
    const [made, removed] = [
      client.put(path).send({ source: { pin: 'source' }, parents: true }),
      () => client.delete(path),
    ];
    await made.then(removed).catch(() => undefined);
  }
}
