import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { extname, join } from 'node:path';
import test from 'node:test';
import type { EventDocument } from '../../src/model/schema/event.ts';
import { verifyHistory } from '../../src/store/verify-history.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { type EventStream, openEventStream } from '../support/event-stream.ts';
import { nameChanger } from '../support/name-changes.ts';
import { mountId } from '../support/observed.ts';
import { start } from '../support/process.ts';
import { rounds } from '../support/rounds.ts';
import { random, testSeed } from '../support/seed.ts';
import { databaseOf, sqlite3, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { type Acknowledged, PinClients } from './support/pin-clients.ts';

const seed = testSeed();
const program = join(import.meta.dirname, 'support', `killed-agent${extname(import.meta.filename)}`);
/** 5 on every run, 200 in the long one. */
const kills = 10 * rounds(0.5);

/** Follows history over all deaths of the agent, as a client with `Last-Event-ID` does. */
class Follower {
  readonly seqs: number[] = [];
  readonly gaps: unknown[] = [];
  readonly #query: string;
  #stream: EventStream | undefined;
  #place = '';

  constructor(mount: string) {
    this.#query = `?since=0&mount=${mount}`;
  }

  async connect(socket: string): Promise<void> {
    const known = this.#place === '' ? {} : { 'last-event-id': this.#place };
    this.#stream = await openEventStream(socket, this.#query, known);
  }

  /** Takes what the connection brought, and lets it go. */
  take(): void {
    for (const { id, place, event, data } of this.#stream?.messages ?? []) {
      this.#place = place;
      if (event === 'pinfold.gap') this.gaps.push(data);
      else this.seqs.push(id);
    }
    this.#stream?.[Symbol.dispose]();
    this.#stream = undefined;
  }

  lastSeen(): number {
    return this.#stream?.messages.at(-1)?.id ?? 0;
  }
}

/** Which inode each path has after these events, each of which must follow from those before it. */
function replay(events: readonly EventDocument[]): ReadonlyMap<string, unknown> {
  const held = new Map<string, unknown>();
  const text = (document: unknown): string => {
    assert.ok(typeof document === 'object' && document !== null && 'path' in document);
    return String(document.path);
  };
  for (const event of events) {
    const { seq, type, subject, before, after } = event;
    const told = `event ${seq}, ${type} ${JSON.stringify(subject)}`;
    if (before !== null) {
      assert.equal(held.get(text(before)), before['inode'], `${told}: what went was there`);
      held.delete(text(before));
    }
    if (after === null) continue;
    if (after['renamed_from'] !== undefined) held.delete(text(after['renamed_from']));
    assert.equal(held.has(text(after)), false, `${told}: nothing is in its place`);
    held.set(text(after), after['inode']);
  }
  return held;
}

/** Path and inode of every pin, by find(1). */
function find(directory: string): ReadonlyMap<string, unknown> {
  const format = ['-type', 'f', '-not', '-name', '*.debug', '-printf', '%P %i\n'];
  const lines = execFileSync('find', ['.', ...format], { cwd: directory, encoding: 'utf8' }).split('\n');
  const pins = lines.filter((line) => line !== '').map((line) => line.split(' ') as [string, string]);
  return new Map(pins.map(([path, inode]) => [path, Number(inode)]));
}

const staging = 'pinfold-staging/';

/** What is journalled of the operations that left these slots. */
function operationsOf(slots: readonly string[]): string {
  const ids = slots.map((slot) => `'${slot.slice(37, 63)}'`).join(', ');
  return `SELECT id, kind, outcome, detail, plan FROM operation WHERE id IN (${ids})`;
}

/** The events of acknowledged changes: one each, of what was asked for; of others one at most. */
function assertOnceEach(acknowledged: readonly Acknowledged[], events: readonly EventDocument[]): void {
  const byOperation = new Map<string, EventDocument[]>();
  for (const event of events) {
    if (event.operation_id === undefined) continue;
    byOperation.set(event.operation_id, [...(byOperation.get(event.operation_id) ?? []), event]);
  }
  for (const [operationId, told] of byOperation) assert.equal(told.length, 1, `${operationId}, told twice`);
  for (const { operationId, path, types } of acknowledged) {
    const told = byOperation.get(operationId) ?? [];
    assert.equal(told.length, 1, `${operationId} of ${path} has one event`);
    assert.equal(told[0]?.subject.path, path);
    assert.ok(types.includes(told[0]?.type ?? ''), `${told[0]?.type} of ${path}`);
  }
}

/** Whether somebody listens there: an agent does before its first look is over. */
function listens(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath, () => resolve(true)).on('error', () => resolve(false));
    socket.unref().end();
  });
}

/** Foreign hands at names of their own and at those of clients, until told to stop. */
async function disturb(directory: string, isOver: () => boolean): Promise<void> {
  using changer = await nameChanger(directory, 'pf_hk');
  while (!isOver()) {
    for (const word of ['make 8 f', 'rename 8 f g', 'replace 8 g', 'chmod 8 g 640', 'remove 8 g'])
      await changer.attempt(word);
    await changer.attempt('remove 2 c3_');
    await changer.attempt('make 2 c4_');
  }
}

/** The events of its instance, once the agent has looked and the followers have been given all. */
async function settledEvents(
  back: TestAgent,
  followers: readonly Follower[],
): Promise<readonly EventDocument[]> {
  await back.local.get('/v1/pins?fresh=true').expect(200);
  const events = back.agent.store.events.list({ mount: back.mount, limit: 10_000_000 });
  const last = events.at(-1)?.seq;
  for (const follower of followers) await follower.connect(back.socket);
  const haveAll = () => followers.every((follower) => follower.lastSeen() === last);
  await until('followers have all', haveAll, Boolean, { timeoutMs: 120_000 });
  for (const follower of followers) follower.take();
  return events;
}

test(`an agent killed ${kills} times under 50 clients and foreign hands leaves all history`, async (t) => {
  using bpffs = mountBpffs('mode=0700');
  using sources = mountBpffs('mode=0700');
  using dir = tempDir('history-kills');
  const stateDir = join(dir.path, 'state');
  const places = { bpffs: bpffs.path, stateDir, runDir: dir.path };
  const socket = join(dir.path, 'agent.sock');
  const maps = [1, 2, 3].map((n) => createMap(join(sources.path, `s${n}`), { name: 'pf_hk' }).id);
  const draw = random(seed);
  const clients = new PinClients(socket, maps, draw);
  const followers = [1, 2, 3].map(() => new Follower(mountId(bpffs.dev)));
  let isOver = false;
  const disturbing = disturb(bpffs.path, () => isOver);
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      using agent = start(process.execPath, [...process.execArgv, program, JSON.stringify(places)]);
      await until('it listens', () => listens(socket), Boolean, { timeoutMs: 120_000 });
      for (const follower of followers) await follower.connect(socket);
      const working = clients.work(50);
      const dueMs = performance.now() + 50 + draw.int(900);
      // Every other one dies whatever it has come to.
      const enough = clients.acknowledged.length + (kill % 2 === 0 ? 3 : 0);
      const isDue = () => performance.now() > dueMs && clients.acknowledged.length >= enough;
      await until('the hour of its death', isDue, Boolean, { timeoutMs: 120_000 });
      agent.kill();
      await agent.exit();
      await working;
      for (const follower of followers) follower.take();
    }
  } finally {
    isOver = true;
    await disturbing;
  }
  await using back = await testAgent({ bpffs, stateDir });
  const events = await settledEvents(back, followers);
  const own = events.filter(({ type }) => type.startsWith('pin.'));
  const there = [...find(bpffs.path)];
  const isStaged = ([path]: readonly [string, unknown]): boolean => path.startsWith(staging);
  assert.deepEqual([...replay(own)].sort(), there.filter((pin) => !isStaged(pin)).sort());
  // A change that was undone could not give its pin back where another hand had taken the name.
  const staged = there.filter(isStaged).map(([path]) => path.slice(staging.length));
  const kept = sqlite3Rows(databaseOf(stateDir), 'SELECT slot FROM quarantine ORDER BY slot');
  assert.deepEqual(
    staged.sort(),
    kept.map(({ slot }) => slot),
    JSON.stringify(sqlite3Rows(databaseOf(stateDir), operationsOf(staged))),
  );
  assertOnceEach(clients.acknowledged, events);
  const last = back.agent.store.events.lastSeq();
  const numbers =
    'SELECT count(*), count(DISTINCT seq), min(seq), max(seq), (SELECT event_seq FROM store) FROM event';
  assert.equal(sqlite3(databaseOf(stateDir), numbers), [last, last, 1, last, last].join('|'));
  for (const { seqs, gaps } of followers) {
    assert.deepEqual(gaps, []);
    assert.deepEqual(
      seqs,
      events.map(({ seq }) => seq),
      'each event once, in order',
    );
  }
  const { acknowledged, cutOff } = clients;
  const told = `${acknowledged.length} acknowledged, ${cutOff} cut off, ${staged.length} kept`;
  t.diagnostic(`${kills} kills, ${last} events, ${told}`);
  assert.ok(acknowledged.length > kills, 'clients were at work');
  await back.running.stop();
  assert.deepEqual(verifyHistory(stateDir), { verified: last + 1, unchained: 0 });
});
