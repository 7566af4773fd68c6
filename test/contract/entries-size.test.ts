import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { filledMaps } from '../support/entries.ts';
import { rounds } from '../support/rounds.ts';
import { until } from '../support/until.ts';
import { entriesOf, pattern } from './entries-fixture.ts';

const vast = 10_000_000;
const mebibyte = 1024 * 1024;

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

test('ten million entries come all, in order, and hardly take memory', async () => {
  using maps = await filledMaps('vast');
  const before = process.memoryUsage.rss();
  const response = await begin(maps.id('vast_array'));
  let peak = 0;
  let lines = 0;
  let rest = '';
  for await (const piece of response) {
    const text = rest + piece.toString('latin1');
    const end = text.lastIndexOf('\n');
    for (let at = 0; at < end; at = text.indexOf('\n', at) + 1, lines++) {
      if (lines % 99_991 === 0 && lines < vast) assert.equal(slotAt(text, at), lines);
    }
    rest = text.slice(end + 1);
    if (text.includes('{"summary":')) assert.match(text, /"count":10000000,"complete":true/);
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  assert.equal(lines, vast + 1);
  // The client is in this process, too, and its strings are garbage for a while.
  assert.ok(peak - before < 200 * mebibyte, `${(peak - before) / mebibyte} MiB more`);
});

test('a map with room for ten million entries and three in it is read, and a map of one', async () => {
  using maps = await filledMaps('vast');
  const few = await entriesOf(agent, maps.id('vast_hash'), '?key_as=u32');
  assert.deepEqual(few.map(({ key }) => key).sort(), [0, 1, 2]);
  const [one, ...others] = await entriesOf(agent, maps.id('one'));
  assert.deepEqual(others, []);
  assert.deepEqual(one, { key: '00', value: pattern(0, 65536).toString('hex') });
});

test('clients that read a kilobyte now and then keep dumps waiting, and the memory where it is', async () => {
  using maps = await filledMaps('big', '200000');
  const responses: http.IncomingMessage[] = [];
  for (let nth = 0; nth < 4; nth++) responses.push(await begin(maps.id('big')));
  const readings: number[] = [];
  for (let round = 0; round < rounds(5); round++) {
    for (const response of responses) response.read(1024);
    await nextLook();
    readings.push(process.memoryUsage.rss());
  }
  for (const response of responses) response.destroy();
  const [first = 0] = readings;
  const growth = (Math.max(...readings) - first) / mebibyte;
  assert.ok(growth < 16, `${growth} MiB more after ${readings.length} reads`);
});

/** Waits until the agent has looked at the kernel again, which it does each second. */
async function nextLook(): Promise<void> {
  const observedAt = async (): Promise<string> =>
    (await agent.local.get('/v1/mounts').expect(200)).body.observed_at;
  const before = await observedAt();
  await until('another look', observedAt, (now) => now !== before);
}

/** The number of the slot whose line begins here: `{"key":"4f000000",…`. */
function slotAt(text: string, at: number): number {
  const from = at + '{"key":"'.length;
  return Buffer.from(text.slice(from, from + 8), 'hex').readUInt32LE();
}

/** Begins a dump over the unix socket; nothing of its text is read yet. */
async function begin(id: number): Promise<http.IncomingMessage> {
  const path = `/v1/maps/${id}/entries`;
  const headers = { accept: 'application/x-ndjson' };
  const request = http.get({ socketPath: agent.socket, path, headers, agent: false });
  const [response]: http.IncomingMessage[] = await once(request, 'response');
  assert.ok(response !== undefined && response.statusCode === 200);
  response.on('error', () => undefined);
  return response;
}
