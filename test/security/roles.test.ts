import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';
import { mayAct, type Role, roles } from '../../src/model/role.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { operations } from '../support/answer-check.ts';

/** A user id that no account of the machine needs to have, and one of a group. */
const stranger = 65_534;
const member = 54_321;

let at: TestAgent;
const secrets = new Map<Role, string>();

before(async () => {
  at = await testAgent({ file: { users: { [String(member)]: 'viewer' } } });
  for (const role of roles) secrets.set(role, await at.token(role));
});
after(async () => await at[Symbol.asyncDispose]());

const urlOf = (path: string): string => path.replace(/\{\w+\}/g, '999999999');

const run = promisify(execFile);

interface CurlAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * A request with curl: a client that is not ours, and which can be run as anybody. Rejects where it cannot
 * connect.
 */
async function curl(options: readonly string[], uid?: number): Promise<CurlAnswer> {
  const become = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const [command = '', ...args] = [...become, 'curl', '-s', '-m', '10', '-w', '\n%{http_code}', ...options];
  const { stdout } = await run(command, args, { encoding: 'utf8' });
  const cut = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(cut + 1)), body: stdout.slice(0, cut) };
}

/** One operation over TCP; `fetch`, because the matrix is some hundred requests. */
async function tryOperation(method: string, path: string, secret: string | undefined): Promise<number> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (secret !== undefined) headers['authorization'] = `Bearer ${secret}`;
  const body = ['PUT', 'POST', 'PATCH'].includes(method) ? '{"x":1}' : null;
  const answer = await fetch(`${at.url}${urlOf(path)}`, { method, headers, body });
  await answer.text();
  return answer.status;
}

test('every operation asks for its role: nobody, a wrong token and each role get what they may', async () => {
  const wrong: string[] = [];
  for (const { method, path, role: needed } of operations) {
    const expectations: readonly (readonly [string, string | undefined, (status: number) => boolean])[] = [
      ['nobody', undefined, (status) => (needed === 'open' ? status < 400 : status === 401)],
      [
        'a wrong token',
        `pinfold_${'A'.repeat(43)}`,
        (status) => (needed === 'open' ? status < 400 : status === 401),
      ],
      ...roles.map(
        (role) =>
          [
            role,
            secrets.get(role),
            (status: number) => {
              const isAllowed =
                needed === 'open' || mayAct(role, roles.find((known) => known === needed) ?? 'admin');
              return isAllowed ? status !== 401 && status !== 403 && status < 500 : status === 403;
            },
          ] as const,
      ),
    ];
    for (const [who, secret, isRight] of expectations) {
      const status = await tryOperation(method, path, secret);
      if (!isRight(status)) wrong.push(`${method} ${path} (${needed}) as ${who}: ${status}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('what is not there is not told apart from what is, without a credential', async () => {
  const at404 = await curl([`${at.url}/v1/nothing`]);
  const at200 = await curl([`${at.url}/v1/node`]);
  const withoutId = (body: string): object => ({ ...JSON.parse(body), request_id: '' });
  assert.deepEqual([at404.status, withoutId(at404.body)], [at200.status, withoutId(at200.body)]);
});

test('the unix socket is behind a directory that only root may enter', async () => {
  await assert.rejects(curl(['--unix-socket', at.socket, 'http://agent/v1/node'], stranger));
  assert.equal((await curl(['--unix-socket', at.socket, 'http://agent/v1/node'])).status, 200);
});

test('with the directory open, the peer’s uid decides', async () => {
  chmodSync(at.config.runDir, 0o711);
  chmodSync(at.socket, 0o666);
  chmodSync(at.config.runDir.replace(/\/run$/, ''), 0o711);
  try {
    const as = async (uid: number | undefined, ...more: string[]): Promise<number> =>
      (await curl(['--unix-socket', at.socket, ...more, 'http://agent/v1/node'], uid)).status;
    const change = async (uid: number | undefined): Promise<number> =>
      (await curl(['--unix-socket', at.socket, '-X', 'DELETE', 'http://agent/v1/pins/none'], uid)).status;
    assert.deepEqual([await as(undefined), await as(member), await as(stranger)], [200, 200, 403]);
    assert.deepEqual(
      [await change(undefined), await change(member), await change(stranger)],
      [404, 403, 403],
    );
    assert.equal(await as(stranger, '-H', `authorization: Bearer ${secrets.get('viewer')}`), 200);
    assert.equal(
      await as(undefined, '-H', 'authorization: Bearer wrong'),
      401,
      'a credential that is sent is the one that counts',
    );
    assert.equal((await curl(['--unix-socket', at.socket, 'http://agent/healthz'], stranger)).status, 200);
  } finally {
    chmodSync(at.config.runDir, 0o700);
  }
});

test('authorization headers that are no bearer tokens are refused', async () => {
  for (const header of [
    'Basic YWRtaW46YWRtaW4=',
    'Bearer',
    'Bearer ',
    `Bearer ${'A'.repeat(600)}`,
    'Bearer a b',
    at.secret,
  ]) {
    assert.equal((await curl(['-H', `authorization: ${header}`, `${at.url}/v1/node`])).status, 401, header);
  }
});

test('each request to change something leaves exactly one audit line, refused or not', async () => {
  const audits = (): readonly { status: number; actor: string; method: string }[] =>
    at.logs.filter((line) => line.includes('"message":"audit"')).map((line) => JSON.parse(line));
  const before = audits().length;
  await at.remote(null).delete('/v1/pins/none').expect(401);
  await at.remote(secrets.get('viewer')).delete('/v1/pins/none').expect(403);
  await at.remote(secrets.get('operator')).delete('/v1/pins/none').expect(404);
  await at.remote(secrets.get('operator')).put('/v1/directories/made').send({}).expect(201);
  await at.remote(secrets.get('viewer')).get('/v1/node').expect(200);
  const lines = audits()
    .slice(before)
    .map(({ status, actor }) => [status, actor]);
  assert.deepEqual(lines, [
    [401, 'unknown'],
    [403, 'api:viewer-1'],
    [404, 'api:operator-3'],
    [201, 'api:operator-3'],
  ]);
});
