import assert from 'node:assert/strict';
import { mkdirSync, renameSync } from 'node:fs';
import test, { after } from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { callerOf } from '../support/caller.ts';
import { type EventStream, type Message, openEventStream } from '../support/event-stream.ts';
import { nameChanger } from '../support/name-changes.ts';
import { until } from '../support/until.ts';

const agent: TestAgent = await testAgent();
after(() => agent[Symbol.asyncDispose]());

/** The log as the list gives it, page by page: what a stream must come to. */
async function history(query: string): Promise<readonly { readonly seq: number; readonly time: string }[]> {
  const mine = `mount=${agent.mount}&${query}`;
  const answer = await agent.local.get(`/v1/events?${mine}`).set('accept', 'application/x-ndjson');
  const lines = answer.text.trim().split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

test('a stream begins with what comes next, and gives each event as the list has it', async () => {
  mkdirSync(`${agent.bpffs.path}/plain`);
  using stream = await openEventStream(agent.socket, `?mount=${agent.mount}&prefix=plain`);
  assert.equal(stream.status, 200);
  assert.match(String(stream.headers['content-type']), /^text\/event-stream/);
  createMap(`${agent.bpffs.path}/plain/map`, { name: 'pf_live' });
  await until('the pin', () => stream.messages.length > 0);
  const [message] = stream.messages;
  const [event] = await history('prefix=plain');
  assert.deepEqual([message?.event, message?.data], ['pin.created', event]);
  assert.match(message?.place ?? '', new RegExp(`^${event?.seq}-[0-9a-f]{12}$`));
});

test('changes by others and by us, read by clients that come again, are each told once', async (t) => {
  const directory = `${agent.bpffs.path}/churn`;
  mkdirSync(directory);
  const from = agent.agent.store.events.lastSeq();
  const { id } = createMap(`${agent.bpffs.path}/source`, { name: 'pf_source' });
  let isOver = false;
  const readers = Array.from({ length: 6 }, (_, index) => follow(from, 20 + 30 * index, () => isOver));
  using steady = await openEventStream(agent.socket, `?mount=${agent.mount}&prefix=churn&since=${from}`);
  using changer = await nameChanger(directory, 'pf_churn');
  const foreign = changer.tell('make 500 n');
  using caller = callerOf(agent.socket);
  for (let turn = 0; turn < 250; turn += 1) {
    const url = `/v1/pins/churn/own-${turn % 50}`;
    const put = await caller.ask({ method: 'PUT', url, body: { source: { kind: 'map', id } } });
    assert.ok(put.status === 200 || put.status === 201, String(put.status));
    assert.equal((await caller.ask({ method: 'DELETE', url })).status, 204);
  }
  await foreign;
  await agent.agent.reads.refresh();
  isOver = true;
  const whole = (await history('prefix=churn')).map(({ seq }) => seq);
  assert.ok(whole.length >= 1000, String(whole.length));
  const last = whole.at(-1) ?? 0;
  await until('the steady reader', () => steady.messages.at(-1)?.id === last);
  assert.deepEqual(
    steady.messages.map(({ id: seq }) => seq),
    whole,
  );
  for (const reader of readers) {
    const { seen, connections } = await reader;
    assert.deepEqual(seen, whole);
    assert.ok(connections > 3, `${connections} connections`);
  }
  t.diagnostic(`${whole.length} events`);
});

/** Reads the log from a number on, breaking its connection after so many events again and again. */
async function follow(from: number, breakAfter: number, isOver: () => boolean) {
  const seen: number[] = [];
  let connections = 0;
  const take = (message: Message): void => {
    assert.equal(message.data['seq'], message.id);
    seen.push(message.id);
  };
  for (;;) {
    const after = String(seen.at(-1) ?? from);
    const query = `?mount=${agent.mount}&prefix=churn`;
    using stream = await openEventStream(agent.socket, query, { 'last-event-id': after });
    connections += 1;
    const isDone = (): boolean => isOver() && isAtEnd(stream, Number(after));
    await until('events', () => stream.messages.length >= breakAfter || isDone(), Boolean, {
      timeoutMs: 60_000,
    });
    const isLast = isDone();
    for (const message of stream.messages.slice(0, isLast ? undefined : breakAfter)) take(message);
    if (isLast) return { seen, connections };
  }
}

function isAtEnd({ messages }: EventStream, after: number): boolean {
  const { events } = agent.agent.store;
  const { path } = { path: 'churn' };
  return events.list({ path, within: true, afterSeq: messages.at(-1)?.id ?? after, limit: 1 }).length === 0;
}

test('since takes a number or a time, and filters narrow a stream as they narrow the list', async () => {
  const whole = await history('type=pin.created&prefix=churn');
  const [, second] = whole;
  using stream = await openEventStream(
    agent.socket,
    `?mount=${agent.mount}&type=pin.created&prefix=churn&since=${(second?.seq ?? 0) - 1}`,
  );
  await until('all but the first', () => stream.messages.length >= whole.length - 1);
  assert.deepEqual(
    stream.messages.map(({ id }) => id),
    whole.slice(1).map(({ seq }) => seq),
  );
  const listed = await history(`type=pin.created&prefix=churn&since=${second?.seq}`);
  assert.equal(listed[0]?.seq, whole[2]?.seq);
  const plain = await history('prefix=plain');
  const query = `?mount=${agent.mount}&prefix=plain&since=${plain[0]?.time}`;
  using timed = await openEventStream(agent.socket, query);
  await until('the event of that time', () => timed.messages.length === plain.length);
});

test('a rename is told where the pin was and where it is, by path and directory, and live', async () => {
  const { path } = agent.bpffs;
  for (const name of ['left', 'reached']) mkdirSync(`${path}/${name}`);
  createMap(`${path}/left/one`, { name: 'pf_moved' });
  await agent.agent.reads.refresh();
  const queries = ['pin=left/one', 'prefix=left', 'pin=reached/two', 'prefix=reached'];
  const streams = await Promise.all(
    queries.map((query) => openEventStream(agent.socket, `?mount=${agent.mount}&${query}`)),
  );
  try {
    renameSync(`${path}/left/one`, `${path}/reached/two`);
    for (const [at, query] of queries.entries()) {
      await until(`the rename by ${query}`, () => (streams[at]?.messages.length ?? 0) > 0);
      const [message] = streams[at]?.messages ?? [];
      const listed = await history(`${query}&type=pin.renamed`);
      assert.deepEqual([message?.event, message?.data], ['pin.renamed', listed[0]], query);
      assert.equal(listed.length, 1, query);
    }
  } finally {
    for (const stream of streams) stream[Symbol.dispose]();
  }
});

test('a place that retention has cut off, or that is of another log, is told as a gap', async () => {
  const { events } = agent.agent.store;
  const removed = events.prune(events.lastSeq(), 40);
  assert.equal(removed, 40);
  const first = { seq: events.list({ limit: 1 })[0]?.seq ?? 0 };
  assert.equal(first.seq, 41);
  for (const after of [1, events.lastSeq() + 1e9]) {
    using stream = await openEventStream(agent.socket, '', { 'last-event-id': String(after) });
    await until('what is kept', () => stream.messages.length > 1);
    const [gap, next] = stream.messages;
    const told = { after, next: 41, reason: after === 1 ? 'not_kept' : 'other_log' };
    assert.deepEqual([gap?.id, gap?.event, gap?.data], [first.seq - 1, 'pinfold.gap', told]);
    assert.equal(next?.id, first.seq);
    const { body } = await agent.local.get(`/v1/events?limit=2&since=${after}`).expect(200);
    assert.deepEqual([body.gap, body.items[0].seq], [told, first.seq]);
  }
});

test('a place names its log: another one of the same numbers is a gap, this one is none', async () => {
  const { events } = agent.agent.store;
  const [, known] = events.listHashed({ limit: 2 });
  const seq = known?.event.seq ?? 0;
  const mine = `${seq}-${known?.hash?.slice(0, 12)}`;
  const theirs = `${seq}-${'0'.repeat(12)}`;
  for (const place of [mine, String(seq), `${seq}-${known?.hash}`]) {
    using stream = await openEventStream(agent.socket, '', { 'last-event-id': place });
    await until('what comes after', () => stream.messages.length > 0);
    assert.equal(stream.messages[0]?.id, seq + 1, place);
    const { body } = await agent.local.get(`/v1/events?limit=1&since=${place}`).expect(200);
    assert.deepEqual([body.gap, body.items[0].seq], [undefined, seq + 1], place);
    assert.deepEqual(body.places, [mine, body.resume], place);
    assert.match(body.resume, new RegExp(`^${seq + 1}-[0-9a-f]{12}$`));
  }
  const gap = { after: seq, next: seq - 1, reason: 'other_log' };
  using stream = await openEventStream(agent.socket, '', { 'last-event-id': theirs });
  await until('all that is kept', () => stream.messages.length > 1);
  assert.deepEqual(
    stream.messages.slice(0, 2).map(({ id, event }) => [id, event === 'pinfold.gap']),
    [
      [seq - 2, true],
      [seq - 1, false],
    ],
  );
  assert.deepEqual(stream.messages[0]?.data, gap);
  const { body } = await agent.local.get(`/v1/events?limit=1&since=${theirs}`).expect(200);
  assert.deepEqual([body.gap, body.items[0].seq], [gap, seq - 1]);
  const lines = await agent.local.get(`/v1/events?since=${theirs}`).set('accept', 'application/x-ndjson');
  const { summary } = JSON.parse(lines.text.trim().split('\n').at(-1) ?? '');
  assert.deepEqual([summary.gap, summary.places], [gap, undefined]);
});

test('a reader who wants few events gets a place at the end of the log', async () => {
  const { body } = await agent.local.get('/v1/events?type=webhook.disabled').expect(200);
  assert.deepEqual(body.items, []);
  const known = await agent.local.get(`/v1/events?type=webhook.disabled&since=${body.resume}`).expect(200);
  assert.equal(known.body.gap, undefined);
  const [seq, hash] = String(body.resume).split('-');
  assert.equal(agent.agent.store.events.hashAt(Number(seq))?.slice(0, 12), hash);
});

test('what cannot be a stream is refused, HEAD opens none, and streams count among streams', async () => {
  const refused: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['?limit=3', {}],
    ['?since=yesterday', {}],
    ['', { 'last-event-id': 'x' }],
    ['?type=nonsense', {}],
  ];
  for (const [query, headers] of refused) {
    using answer = await openEventStream(agent.socket, query, headers);
    assert.equal(answer.status, 422, query);
  }
  const head = await agent.local.head('/v1/events').set('accept', 'text/event-stream').expect(200);
  assert.match(String(head.headers['content-type']), /^text\/event-stream/);
  const open: EventStream[] = [];
  for (let count = 0; count < limits.streamsMax; count += 1) open.push(await openEventStream(agent.socket));
  assert.deepEqual([...new Set(open.map(({ status }) => status))], [200]);
  using over = await openEventStream(agent.socket);
  assert.equal(over.status, 429);
  for (const stream of open) stream[Symbol.dispose]();
  const isFree = async (): Promise<boolean> => {
    using stream = await openEventStream(agent.socket);
    return stream.status === 200;
  };
  await until('a slot', isFree);
});

test('the agent ends its streams when it stops, and is not kept from it', async () => {
  await using other = await testAgent();
  using idle = await openEventStream(other.socket);
  const began = performance.now();
  await other.running.stop();
  await until('the end', idle.hasEnded);
  assert.ok(performance.now() - began < 2500);
});
