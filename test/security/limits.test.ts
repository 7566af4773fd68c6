import assert from 'node:assert/strict';
import { once } from 'node:events';
import { linkSync, mkdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import test from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { until } from '../support/until.ts';

/** How often a limit was hit, as /metrics tells. */
async function hits(at: TestAgent, limit: string): Promise<number> {
  const { text } = await at.local.get('/metrics').expect(200);
  return Number(
    new RegExp(`^pinfold_limit_hits_total\\{limit="${limit}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0,
  );
}

test('a body may be as long as the limit says, and not a byte longer', async () => {
  await using at = await testAgent();
  const body = (length: number): string => `"${'x'.repeat(length - 2)}"`;
  const send = (length: number) =>
    at.local.post('/v1/batch').set('content-type', 'application/json').send(body(length));
  assert.equal((await send(limits.bodyBytesMax)).status, 422, 'it was read and judged');
  const over = await send(limits.bodyBytesMax + 1);
  assert.deepEqual([over.status, over.body.code], [413, 'body_too_large']);
  assert.equal(await hits(at, 'body_too_large'), 1);
});

test('a URL may be as long as the limit says, and not a byte longer', async () => {
  await using at = await testAgent();
  const url = (length: number): string => `/v1/node?${'x'.repeat(length - '/v1/node?'.length)}`;
  assert.equal((await at.local.get(url(limits.urlBytesMax))).status, 422, 'it was read and judged');
  const over = await at.local.get(url(limits.urlBytesMax + 1));
  assert.deepEqual([over.status, over.body.code], [414, 'uri_too_long']);
  assert.equal(await hits(at, 'uri_too_long'), 1);
});

test('the longest path the kernel knows fits into a URL, each byte escaped', async () => {
  await using at = await testAgent();
  const name = `${'%FF'.repeat(limits.nameBytesMax)}/`;
  const path = `${name.repeat(15)}${'%FF'.repeat(limits.pathBytesMax - 15 * 256)}`;
  const longest = await at.local.get(`/v1/pins/${path}`);
  assert.deepEqual([longest.status, longest.body.code], [404, 'parent_not_found']);
  const over = await at.local.get(`/v1/pins/${path}%FF`);
  assert.deepEqual([over.status, over.body.code], [422, 'bad_path']);
});

test('as many streams may be open as the limit says; one more is 429', async () => {
  await using at = await testAgent();
  const names = 1500;
  mkdirSync(`${at.bpffs.path}/d`);
  createMap(`${at.bpffs.path}/d/p`, { name: 'pf_stream' });
  for (let index = 1; index < names; index++) {
    linkSync(`${at.bpffs.path}/d/p`, `${at.bpffs.path}/d/${'n'.repeat(200)}${index}`);
  }
  await at.local.get('/v1/pins?fresh=true&limit=1').expect(200);
  const headers = { accept: 'application/x-ndjson', authorization: `Bearer ${at.secret}` };
  const stream = async (): Promise<{ readonly status: number; readonly text: string }> => {
    const answer = await fetch(`${at.url}/v1/pins`, { headers });
    return { status: answer.status, text: await answer.text() };
  };
  const slow: Socket[] = [];
  try {
    for (let index = 0; index < limits.streamsMax; index++) {
      const socket = connect(at.socket);
      slow.push(socket.on('error', () => undefined));
      const hasBegun = once(socket, 'readable');
      // More than the buffers of a socket hold, and nobody reads it: the stream stays open.
      socket.write('GET /v1/pins HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n');
      await hasBegun;
    }
    const over = await until('a stream to be refused', stream, ({ status }) => status === 429);
    assert.equal(JSON.parse(over.text).limit, 'streams');
    assert.ok((await hits(at, 'streams')) > 0);
    await at.local.get('/v1/pins').expect(200);
  } finally {
    for (const socket of slow) socket.destroy();
  }
  const again = await until('a place to be free', stream, ({ status }) => status === 200);
  const summary = JSON.parse(again.text.trimEnd().split('\n').at(-1) ?? '').summary;
  assert.deepEqual([summary.count, summary.complete], [names, true]);
});

test('a secret never shows: not in logs, metrics, documents, refusals or the database', async () => {
  await using at = await testAgent();
  const { body } = await at.local.post('/v1/tokens').send({ name: 'canary', role: 'operator' }).expect(201);
  const canary = String(body.token);
  const told: string[] = [];
  for (const path of [
    '/v1/tokens',
    '/v1/node',
    '/metrics',
    '/v1/events',
    '/openapi.json',
    '/v1/nothing',
    '/v1/pins/none',
  ]) {
    told.push((await at.remote(canary).get(path)).text ?? '', (await at.local.get(path)).text ?? '');
  }
  told.push((await at.remote(canary).get(`/v1/node?token=${canary}`)).text.replaceAll(`/query/token`, ''));
  told.push((await at.remote(canary).delete('/v1/pins/none')).text);
  await at.local.delete('/v1/tokens/canary').expect(204);
  told.push((await at.remote(canary).get('/v1/node').expect(401)).text);
  told.push(at.logs.join(''));
  const { file } = (await at.local.post('/v1/backup').expect(201)).body;
  told.push(readFileSync(file, 'latin1'));
  const forms = [
    canary,
    Buffer.from(canary).toString('base64').slice(4, -4),
    canary.slice('pinfold_'.length),
  ];
  for (const form of forms)
    assert.deepEqual(
      told.filter((text) => text.includes(form)),
      [],
      form.slice(0, 4),
    );
});
