import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import test from 'node:test';
import type { Test } from 'supertest';
import { testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { createMap, pinnedMap } from '../support/bpftool.ts';

const template = '/v1/pins/{path}';

test('a pin is shown as bpftool shows what it holds, with a strong tag', async () => {
  await using at = await testAgent();
  const map = createMap(`${at.bpffs.path}/one`, { name: 'pf_shown' });
  const answer = await at.local.get('/v1/pins/one').expect(200);
  assertDeclared('GET', template, answer);
  const { kind, id, type, name, path, mount } = answer.body;
  assert.deepEqual(
    { kind, id, type, name, path, mount },
    {
      kind: 'map',
      id: map.id,
      type: 'hash',
      name: 'pf_shown',
      path: 'one',
      mount: at.mount,
    },
  );
  const etag = String(answer.headers['etag']);
  assert.match(etag, /^"[^"]+"$/);
  assert.equal(etag, answer.body.etag);
  const again = await at.local.get('/v1/pins/one').set('if-none-match', etag).expect(304);
  assert.equal(again.text, '');
  await at.local.head('/v1/pins/one').expect(200).expect('etag', etag);
});

test('a pin that is not there, or cannot be, is refused in the words of the catalogue', async () => {
  await using at = await testAgent();
  createMap(`${at.bpffs.path}/m`, { name: 'pf_refused' });
  execFileSync('ln', ['-s', 'm', `${at.bpffs.path}/link`]);
  const refused: readonly (readonly [string, number, string])[] = [
    ['none', 404, 'pin_not_found'],
    ['m/below', 409, 'not_a_directory'],
    ['link', 409, 'symlink'],
    ['', 422, 'bad_path'],
    ['a%2F%2Fb', 422, 'bad_path'],
    ['a.b', 422, 'bad_path'],
    ['..%2Fm', 422, 'bad_path'],
    ['%00', 422, 'bad_path'],
    [`${'n'.repeat(256)}`, 422, 'bad_path'],
    ['pinfold-staging', 422, 'bad_path'],
  ];
  for (const [path, status, code] of refused) {
    const answer = await at.local.get(`/v1/pins/${path}`);
    assertDeclared('GET', template, answer);
    assert.deepEqual([answer.status, answer.body.code], [status, code], path);
    assert.equal(answer.body.request_id, answer.headers['x-request-id']);
  }
  assert.equal((await at.local.get('/v1/pins/m?mount=9:9')).body.code, 'mount_not_found');
});

test('PUT makes a pin once, and again changes only what it says', async () => {
  await using at = await testAgent();
  const map = createMap(`${at.bpffs.path}/m`, { name: 'pf_put' });
  const source = { kind: 'map', id: map.id };
  const made = await at.local
    .put('/v1/pins/dir/copy')
    .send({ source, parents: true, mode: '0640', labels: { app: 'x' } });
  assertDeclared('PUT', template, made);
  assert.equal(made.status, 201);
  assert.equal(made.headers['location'], '/v1/pins/dir/copy');
  assert.equal(made.body.managed, true);
  assert.equal(pinnedMap(`${at.bpffs.path}/dir/copy`).id, map.id);
  const operation = await at.local.get(`/v1/operations/${made.headers['pinfold-operation']}`).expect(200);
  assertDeclared('GET', '/v1/operations/{id}', operation);
  assert.equal(operation.body.outcome, 'applied');
  assert.equal(operation.body.request_id, made.headers['x-request-id']);

  const again = await at.local.put('/v1/pins/dir/copy').send({ source, owner: 'me' });
  assertDeclared('PUT', template, again);
  assert.equal(again.status, 200);
  assert.deepEqual([again.body.mode, again.body.labels, again.body.owner], ['0640', { app: 'x' }, 'me']);
});

test('another object at the path is a conflict, unless it may be replaced', async () => {
  await using at = await testAgent();
  const [one, two] = ['one', 'two'].map(
    (name) => createMap(`${at.bpffs.path}/${name}`, { name: 'pf_other' }).id,
  );
  const source = { kind: 'map', id: two };
  await at.local
    .put('/v1/pins/spare')
    .send({ source: { pin: 'one' } })
    .expect(201);
  const refused = await at.local.put('/v1/pins/one').send({ source });
  assertDeclared('PUT', template, refused);
  assert.deepEqual([refused.status, refused.body.code], [409, 'pin_exists']);
  assert.equal(pinnedMap(`${at.bpffs.path}/one`).id, one);
  const replaced = await at.local.put('/v1/pins/one').send({ source, replace: true });
  assert.equal(replaced.status, 200, replaced.text);
  assert.equal(pinnedMap(`${at.bpffs.path}/one`).id, two);
  const created = await at.local.put('/v1/pins/one').set('if-none-match', '*').send({ source });
  assert.equal(created.status, 412, created.text);
});

test('the last reference is not dropped by accident: 409 hazard, until it is accepted', async () => {
  await using at = await testAgent();
  createMap(`${at.bpffs.path}/last`, { name: 'pf_last' });
  const refused = await at.local.delete('/v1/pins/last');
  assertDeclared('DELETE', template, refused);
  assert.equal(refused.body.code, 'hazard');
  assert.ok(existsSync(`${at.bpffs.path}/last`));
  const unknown = await at.local.delete('/v1/pins/last?accept=everything').expect(422);
  assert.equal(unknown.body.errors[0].pointer, '/query/accept');
  const plan = await at.local.delete('/v1/pins/last?accept=last_reference&dry_run=true').expect(200);
  assertDeclared('DELETE', template, plan);
  assert.deepEqual(plan.body.plan[0].hazards, ['last_reference']);
  assert.ok(existsSync(`${at.bpffs.path}/last`));
  const gone = await at.local.delete('/v1/pins/last?accept=last_reference').expect(204);
  assertDeclared('DELETE', template, gone);
  assert.equal(existsSync(`${at.bpffs.path}/last`), false);
});

test('PATCH renames and changes attributes; If-Match keeps what the caller did not see', async () => {
  await using at = await testAgent();
  createMap(`${at.bpffs.path}/a`, { name: 'pf_patch' });
  const { etag } = (await at.local.get('/v1/pins/a')).body;
  const patched = await at.local
    .patch('/v1/pins/a')
    .set('if-match', etag)
    .send({ labels: { k: 'v' }, mode: '0600' });
  assertDeclared('PATCH', template, patched);
  assert.equal(patched.status, 200, patched.text);
  assert.notEqual(patched.headers['etag'], etag);
  const stale = await at.local.patch('/v1/pins/a').set('if-match', etag).send({ path: 'b' });
  assert.deepEqual([stale.status, stale.body.code], [412, 'precondition_failed']);
  const moved = await at.local.patch('/v1/pins/a').set('if-match', '*').send({ path: 'b' });
  assert.equal(moved.status, 200, moved.text);
  assert.deepEqual([moved.body.path, moved.body.labels], ['b', { k: 'v' }]);
  const weak = await at.local
    .patch('/v1/pins/b')
    .set('if-match', `W/${moved.body.etag}`)
    .send({ mode: '0640' });
  assert.equal(weak.status, 412);
});

test('If-None-Match: * keeps a pin from every change, and If-Match: * asks for one', async () => {
  await using at = await testAgent();
  const map = createMap(`${at.bpffs.path}/m`, { name: 'pf_kept' });
  const before = statSync(`${at.bpffs.path}/m`, { bigint: true });
  const url = '/v1/pins/m';
  const refused: readonly (readonly ['PUT' | 'PATCH' | 'DELETE', Test])[] = [
    ['DELETE', at.local.delete(`${url}?accept=last_reference`)],
    ['DELETE', at.local.delete(`${url}?force=true`)],
    ['DELETE', at.local.delete(`${url}?accept=last_reference&dry_run=true`)],
    ['PATCH', at.local.patch(url).send({ mode: '0640' })],
    ['PATCH', at.local.patch(url).send({ path: 'elsewhere' })],
    ['PATCH', at.local.patch(url).send({ labels: { a: 'b' } })],
    ['PUT', at.local.put(url).send({ source: { pin: 'm' }, mode: '0640' })],
  ];
  for (const [method, request] of refused) {
    const answer = await request.set('if-none-match', '*');
    assertDeclared(method, template, answer);
    assert.deepEqual([answer.status, answer.body.code], [412, 'precondition_failed'], answer.text);
  }
  const missing = await at.local
    .put('/v1/pins/n')
    .set('if-match', '*')
    .send({ source: { pin: 'm' } });
  assert.deepEqual([missing.status, missing.body.code], [412, 'precondition_failed'], missing.text);
  for (const name of ['elsewhere', 'n']) assert.equal(existsSync(`${at.bpffs.path}/${name}`), false, name);
  assert.equal(pinnedMap(`${at.bpffs.path}/m`).id, map.id);
  const { ino, mode, ctimeNs } = statSync(`${at.bpffs.path}/m`, { bigint: true });
  assert.deepEqual([ino, mode, ctimeNs], [before.ino, before.mode, before.ctimeNs]);
  assert.deepEqual((await at.local.get(url).expect(200)).body.labels, {});
});

test('names of bytes that are not UTF-8 go in and out unharmed', async () => {
  await using at = await testAgent();
  const map = createMap(`${at.bpffs.path}/m`, { name: 'pf_bytes' });
  const made = await at.local.put('/v1/pins/%FF%0A%C3%A9').send({ source: { pin: 'm' } });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.body.path_bytes, Buffer.from([0xff, 0x0a, 0xc3, 0xa9]).toString('base64'));
  const names = execFileSync('find', [at.bpffs.path, '-type', 'f', '-printf', '%f\\0'], {
    encoding: 'latin1',
  }).split('\0');
  assert.ok(names.includes('\xff\x0a\xc3\xa9'), JSON.stringify(names));
  assert.equal((await at.local.get('/v1/pins/%ff%0a%c3%a9')).body.id, map.id);
  const bytes = Buffer.from([0xff, 0x0a, 0xc3, 0xa9]).toString('base64url');
  const listed = await at.local.get(`/v1/pins?prefix_bytes=${bytes}&fresh=true`).expect(200);
  assert.equal(listed.body.items.length, 1);
  const copied = await at.local.put('/v1/pins/copy').send({ source: { pin_bytes: made.body.path_bytes } });
  assert.equal(copied.status, 201, copied.text);
  assert.equal((await at.local.get('/v1/pins?prefix=%FF')).status, 400);
});

test('a refusal names a path as answers do: its text, and base64 where bytes are not UTF-8', async () => {
  await using at = await testAgent();
  const strange = Buffer.from([0x61, 0xff]).toString('base64');
  const missing = await at.local.get('/v1/pins/a%ff').expect(404);
  assertDeclared('GET', template, missing);
  assert.deepEqual([missing.body.path, missing.body.path_bytes], ['a\ufffd', strange]);
  const dotted = await at.local.get('/v1/pins/a%ff.').expect(422);
  assert.equal(dotted.body.path_bytes, Buffer.from([0x61, 0xff, 0x2e]).toString('base64'));
  const directory = await at.local.delete('/v1/directories/a%ff').expect(404);
  assert.equal(directory.body.path_bytes, strange);
  const text = await at.local.get('/v1/pins/K%C3%A4se').expect(404);
  assert.deepEqual([text.body.path, text.body.path_bytes], ['Käse', undefined]);
});

test('a prefix of bytes is what it says, or refused', async () => {
  await using at = await testAgent();
  createMap(`${at.bpffs.path}/m`, { name: 'pf_prefix' });
  await at.local
    .put('/v1/pins/z%ff%fe')
    .send({ source: { pin: 'm' } })
    .expect(201);
  for (const bytes of ['ev_-', 'ev%2F%2B']) {
    const { body } = await at.local.get(`/v1/pins?prefix_bytes=${bytes}&fresh=true`).expect(200);
    assert.equal(body.total, 1, bytes);
  }
  const wrong = [
    ...['prefix_bytes=ev/+', 'prefix_bytes=!!', 'prefix_bytes=ev_', 'prefix_bytes=YQ&prefix=a'],
    ...['prefix=a/', 'prefix_bytes=Lg', 'label=x'],
  ];
  for (const query of wrong) {
    const { body } = await at.local.get(`/v1/pins?${query}`).expect(422);
    assert.deepEqual(body.errors.length, 1, query);
    assert.equal(body.errors[0].pointer, `/query/${query.split('=')[0]}`);
  }
});

test('half of a character in a body names nothing else', async () => {
  await using at = await testAgent();
  createMap(`${at.bpffs.path}/\ufffd`, { name: 'pf_half' });
  const sent = at.local.put('/v1/pins/x').set('content-type', 'application/json');
  const refused = await sent.send('{"source":{"pin":"\\ud800"}}').expect(422);
  assert.deepEqual([refused.body.code, refused.body.errors[0].pointer], ['bad_path', '/body/source/pin']);
  await at.local
    .put('/v1/pins/x')
    .send({ source: { pin: '\ufffd' } })
    .expect(201);
});

test('a body is taken as it is: nothing is coerced, nothing unknown is ignored', async () => {
  await using at = await testAgent();
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ source: { kind: 'map', id: '5' } }, '/body/source/id'],
    [{ source: { pid: 1, fd: 'x' } }, '/body/source/fd'],
    [{ source: { pin: 'x', fd: 5 } }, '/body/source/fd'],
    [{ source: { kind: 'mop', id: 5 } }, '/body/source/kind'],
    [{ source: {} }, '/body/source'],
    [{ source: 5 }, '/body/source'],
    [{ source: { kind: 'map', id: 5 }, replace: 'true' }, '/body/replace'],
    [{ source: { kind: 'map', id: 5 }, nonsense: 1 }, '/body/nonsense'],
    [{ source: { kind: 'map', id: 5 }, mode: '999' }, '/body/mode'],
    [{}, '/body'],
    [[], '/body'],
  ];
  for (const [body, pointer] of wrong) {
    const answer = await at.local.put('/v1/pins/x').send(Object(body));
    assertDeclared('PUT', template, answer);
    assert.equal(answer.status, 422, JSON.stringify(body));
    const pointers = answer.body.errors.map((error: { pointer: string }) => error.pointer);
    assert.deepEqual(pointers, [pointer], JSON.stringify(body));
  }
});
