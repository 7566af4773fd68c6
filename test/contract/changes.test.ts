import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { createMap } from '../support/bpftool.ts';

test('directories are made once and removed when they are empty', async () => {
  await using at = await testAgent();
  const made = await at.local.put('/v1/directories/a/b').send({ parents: true });
  assertDeclared('PUT', '/v1/directories/{path}', made);
  assert.equal(made.status, 201, made.text);
  assert.ok(statSync(`${at.bpffs.path}/a/b`).isDirectory());
  const again = await at.local.put('/v1/directories/a/b');
  assertDeclared('PUT', '/v1/directories/{path}', again);
  assert.equal(again.status, 204, again.text);
  const full = await at.local.delete('/v1/directories/a');
  assertDeclared('DELETE', '/v1/directories/{path}', full);
  assert.deepEqual([full.status, full.body.code], [409, 'directory_not_empty']);
  const plan = await at.local.delete('/v1/directories/a/b?dry_run=true').expect(200);
  assertDeclared('DELETE', '/v1/directories/{path}', plan);
  await at.local.delete('/v1/directories/a/b').expect(204);
  await at.local.delete('/v1/directories/a').expect(204);
  assert.equal(existsSync(`${at.bpffs.path}/a`), false);
});

test('directories have no tag, and are changed only as If-Match and If-None-Match say', async () => {
  await using at = await testAgent();
  const there = `${at.bpffs.path}/d`;
  mkdirSync(there, { mode: 0o755 });
  const before = statSync(there, { bigint: true });
  const refused: readonly (readonly ['PUT' | 'DELETE', string, string, string])[] = [
    ['DELETE', 'd', 'if-match', '"x"'],
    ['DELETE', 'd', 'if-none-match', '*'],
    ['DELETE', 'd?dry_run=true', 'if-none-match', '*'],
    ['PUT', 'd', 'if-match', '"x"'],
    ['PUT', 'd', 'if-none-match', '*'],
    ['PUT', 'new', 'if-match', '*'],
    ['PUT', 'new', 'if-match', '"x"'],
  ];
  for (const [method, name, header, value] of refused) {
    const url = `/v1/directories/${name}`;
    const request = method === 'PUT' ? at.local.put(url).send({ mode: '0700' }) : at.local.delete(url);
    const answer = await request.set(header, value);
    assertDeclared(method, '/v1/directories/{path}', answer);
    assert.deepEqual([answer.status, answer.body.code], [412, 'precondition_failed'], `${url} ${header}`);
  }
  const { ino, mode, ctimeNs } = statSync(there, { bigint: true });
  assert.deepEqual([ino, mode, ctimeNs], [before.ino, before.mode, before.ctimeNs]);
  assert.equal(existsSync(`${at.bpffs.path}/new`), false);
  await at.local.put('/v1/directories/new').set('if-none-match', '*').expect(201);
  await at.local.put('/v1/directories/new').set('if-match', '*').expect(204);
  await at.local.delete('/v1/directories/new').set('if-match', '*').expect(204);
});

test('a condition that a change does not compare is refused, and nothing is done', async () => {
  await using at = await testAgent();
  createMap(`${at.bpffs.path}/m`, { name: 'pf_conditional' });
  const operations = [{ op: 'pin', path: 'copy', source: { pin: 'm' } }];
  for (const [header, value] of Object.entries({ 'if-match': '"x"', 'if-none-match': '*' })) {
    const answer = await at.local.post('/v1/batch').set(header, value).send({ operations });
    assertDeclared('POST', '/v1/batch', answer);
    assert.deepEqual([answer.status, answer.body.code], [422, 'invalid_input'], answer.text);
    assert.equal(answer.body.errors[0].pointer, `/headers/${header}`);
    assert.match(answer.body.detail, /if_match/);
    await at.local.post('/v1/gc').set(header, value).send({}).expect(422);
    await at.local.delete('/v1/tokens/admin').set(header, value).expect(422);
    await at.remote(null).post('/v1/batch').set(header, value).send({ operations }).expect(401);
  }
  assert.equal(existsSync(`${at.bpffs.path}/copy`), false);
  await at.local.get('/v1/tokens').set('if-none-match', '*').expect(200);
  await at.local.post('/v1/batch').send({ operations }).expect(200);
});

test('a batch is all or nothing', async () => {
  await using at = await testAgent();
  createMap(`${at.bpffs.path}/m`, { name: 'pf_batch' });
  const good = [
    { op: 'mkdir', path: 'd' },
    { op: 'pin', path: 'd/one', source: { pin: 'm' } },
    { op: 'rename', path: 'd/one', to: 'd/two' },
  ];
  const done = await at.local.post('/v1/batch').send({ operations: good });
  assertDeclared('POST', '/v1/batch', done);
  assert.equal(done.status, 200, done.text);
  assert.equal(done.body.operation_id, done.headers['pinfold-operation']);
  assert.ok(existsSync(`${at.bpffs.path}/d/two`));

  const bad = [
    { op: 'pin', path: 'three', source: { pin: 'm' } },
    { op: 'unpin', path: 'none' },
  ];
  const refused = await at.local.post('/v1/batch').send({ operations: bad });
  assertDeclared('POST', '/v1/batch', refused);
  assert.equal(refused.body.code, 'pin_not_found', refused.text);
  assert.equal(existsSync(`${at.bpffs.path}/three`), false);

  await at.local
    .put('/v1/claims/somebody')
    .send({ pins: ['m'] })
    .expect(201);
  const lines: readonly (readonly [object, string, string])[] = [
    [{ op: 'unpin', path: 'none' }, 'pin_not_found', '/1'],
    [{ op: 'unpin', path: 'm' }, 'hazard', '/1'],
    [{ op: 'rmdir', path: 'd' }, 'directory_not_empty', '/1'],
    [{ op: 'unpin', path: 'a.b' }, 'bad_path', '/1/path'],
    [{ op: 'rename', path: 'm', to_bytes: 'a===' }, 'invalid_input', '/1/to_bytes'],
    [{ op: 'pin', path: 'x', source: { pin_bytes: 'a===' } }, 'invalid_input', '/1/source/pin_bytes'],
    [{ op: 'pin', path: 'x', source: { pid: 1, fd: 'x' } }, 'invalid_input', '/1/source/fd'],
    [{ op: 'mkdir', path: 'e', mode: 'x' }, 'invalid_input', '/1/mode'],
    [{ op: 'nothing' }, 'invalid_input', '/1/op'],
  ];
  for (const [line, code, pointer] of lines) {
    const answer = await at.local.post('/v1/batch').send({ operations: [{ op: 'mkdir', path: 'e' }, line] });
    assertDeclared('POST', '/v1/batch', answer);
    const pointers = answer.body.errors.map((error: { pointer: string }) => error.pointer);
    const told = [answer.body.code, ...new Set(pointers)];
    assert.deepEqual(told, [code, `/body/operations${pointer}`], answer.text);
    assert.equal(existsSync(`${at.bpffs.path}/e`), false);
  }

  const plan = await at.local.post('/v1/batch?dry_run=true').send({ operations: [good[0] ?? {}] });
  assertDeclared('POST', '/v1/batch', plan);
});

test('a batch may have as many operations as the limit says, and not one more', async () => {
  await using at = await testAgent();
  const operations = (number: number) =>
    Array.from({ length: number }, (_, index) => ({ op: 'mkdir', path: `d${index}` }));
  const most = await at.local
    .post('/v1/batch?dry_run=true')
    .send({ operations: operations(limits.batchOperationsMax) });
  assert.equal(most.status, 200, most.text.slice(0, 500));
  const over = await at.local
    .post('/v1/batch?dry_run=true')
    .send({ operations: operations(limits.batchOperationsMax + 1) });
  assert.deepEqual([over.status, over.body.code], [422, 'invalid_input']);
});

test('a POST with a known Idempotency-Key is answered again and not done again', async () => {
  await using at = await testAgent();
  createMap(`${at.bpffs.path}/m`, { name: 'pf_once' });
  const operations = [{ op: 'pin', path: 'once', source: { pin: 'm' } }];
  const send = async (key: string, body: object) =>
    await at.local.post('/v1/batch').set('idempotency-key', key).send(body);
  const first = await send('k1', { operations });
  assert.equal(first.status, 200, first.text);
  await at.local.delete('/v1/pins/once').expect(204);
  const second = await send('k1', { operations });
  assertDeclared('POST', '/v1/batch', second);
  assert.equal(second.text, first.text);
  assert.equal(second.headers['idempotent-replayed'], 'true');
  assert.equal(second.headers['pinfold-operation'], first.headers['pinfold-operation']);
  assert.equal(existsSync(`${at.bpffs.path}/once`), false, 'the answer was repeated, the change was not');
  const other = await send('k1', { operations: [{ op: 'mkdir', path: 'x' }] });
  assert.deepEqual([other.status, other.body.code], [422, 'idempotency_mismatch']);
  const remote = await at.remote().post('/v1/batch').set('idempotency-key', 'k1').send({ operations });
  assert.equal(remote.headers['idempotent-replayed'], undefined, 'keys belong to their callers');
  assert.equal(
    (await send('k'.repeat(limits.idempotencyKeyCharsMax), { operations })).headers['idempotent-replayed'],
    undefined,
  );
  assert.equal((await send('k'.repeat(limits.idempotencyKeyCharsMax + 1), { operations })).status, 422);
});

test('a token is told once, works at once, and is refused at once when it is revoked', async () => {
  await using at = await testAgent();
  const made = await at.local
    .post('/v1/tokens')
    .set('idempotency-key', 't')
    .send({ name: 'ci', role: 'viewer', expires_in: '1h' });
  assertDeclared('POST', '/v1/tokens', made);
  assert.equal(made.status, 201, made.text);
  const secret = String(made.body.token);
  await at.remote(secret).get('/v1/node').expect(200);
  const repeated = await at.local
    .post('/v1/tokens')
    .set('idempotency-key', 't')
    .send({ name: 'ci', role: 'viewer', expires_in: '1h' });
  assertDeclared('POST', '/v1/tokens', repeated);
  assert.deepEqual([repeated.status, repeated.body.token], [201, null]);
  const twice = await at.local.post('/v1/tokens').send({ name: 'ci', role: 'viewer' });
  assert.deepEqual([twice.status, twice.body.code], [409, 'already_exists']);
  const list = await at.local.get('/v1/tokens').expect(200);
  assertDeclared('GET', '/v1/tokens', list);
  assert.deepEqual(
    list.body.items.map(({ name }: { name: string }) => name),
    ['admin', 'ci'],
  );
  assert.equal(list.text.includes(secret), false);
  const gone = await at.local.delete('/v1/tokens/ci').expect(204);
  assertDeclared('DELETE', '/v1/tokens/{name}', gone);
  await at.remote(secret).get('/v1/node').expect(401);
  const none = await at.local.delete('/v1/tokens/ci').expect(404);
  assertDeclared('DELETE', '/v1/tokens/{name}', none);
  for (const body of [
    { name: 'a b', role: 'viewer' },
    { name: 'a', role: 'king' },
    { name: 'a', role: 'viewer', expires_in: '0s' },
  ]) {
    await at.local.post('/v1/tokens').send(body).expect(422);
  }
});

test('an expired token is refused', async () => {
  await using at = await testAgent();
  const { body } = await at.local
    .post('/v1/tokens')
    .send({ name: 'short', role: 'admin', expires_in: '1ms' })
    .expect(201);
  const answer = await at.remote(body.token).get('/v1/node').expect(401);
  assert.match(answer.body.detail, /expired/);
});

test('a backup is a whole database that only root can read', async () => {
  await using at = await testAgent();
  createMap(`${at.bpffs.path}/m`, { name: 'pf_backup' });
  await at.local
    .put('/v1/pins/kept')
    .send({ source: { pin: 'm' } })
    .expect(201);
  const answer = await at.local.post('/v1/backup').expect(201);
  assertDeclared('POST', '/v1/backup', answer);
  const { file, bytes } = answer.body;
  assert.ok(file.startsWith(join(at.config.stateDir, 'backups/')));
  assert.deepEqual([statSync(file).size, statSync(file).mode & 0o777], [bytes, 0o600]);
  assert.equal(execFileSync('sqlite3', [file, 'pragma integrity_check'], { encoding: 'utf8' }).trim(), 'ok');
  for (let made = 1; made < limits.backupsMax; made++) await at.local.post('/v1/backup').expect(201);
  const over = await at.local.post('/v1/backup').expect(429);
  assertDeclared('POST', '/v1/backup', over);
  assert.deepEqual([over.body.code, over.body.limit], ['too_many_requests', 'backups']);
  assert.match(String(over.headers['retry-after']), /^\d+$/);
});

test('probes answer everybody, and operations that nobody knows are 404', async () => {
  await using at = await testAgent();
  for (const path of ['/healthz', '/readyz']) {
    const answer = await at.remote(null).get(path).expect(200);
    assertDeclared('GET', path, answer);
  }
  const none = await at.local.get('/v1/operations/01NONE').expect(404);
  assertDeclared('GET', '/v1/operations/{id}', none);
});

test('a read-only agent refuses every change and reads as before', async () => {
  await using at = await testAgent({ settings: { 'read-only': true } });
  createMap(`${at.bpffs.path}/m`, { name: 'pf_ro' });
  await at.local.get('/v1/pins/m').expect(200);
  for (const request of [
    at.local.put('/v1/pins/x').send({ source: { pin: 'm' } }),
    at.local.delete('/v1/pins/m?force=true'),
    at.local.put('/v1/directories/d').send({}),
    at.local.post('/v1/batch').send({ operations: [{ op: 'mkdir', path: 'd' }] }),
  ]) {
    const answer = await request;
    assert.deepEqual([answer.status, answer.body.code], [409, 'read_only'], answer.text);
  }
});
