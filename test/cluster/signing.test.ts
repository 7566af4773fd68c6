import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { newClusterKey, readClusterKey, writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { bodyHash, meaningOf, type SignedFacts, signedHeaders } from '../../src/cluster/signing/signature.ts';
import { SignatureVerifier } from '../../src/cluster/signing/verifier.ts';
import { ConfigError } from '../../src/model/config.ts';
import { PinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import type { Role } from '../../src/model/role.ts';
import { testClock } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const key = newClusterKey();
const clock = testClock();
let nonces = 0;

function facts(changed: Partial<SignedFacts> = {}): SignedFacts {
  return {
    node: 'edge-1',
    method: 'DELETE',
    target: '/v1/pins/a%2Fb?force=true',
    manager: 'm1',
    timeMs: clock.now().getTime(),
    nonce: String(++nonces).padStart(22, 'n'),
    actor: 'api:ci',
    role: 'operator',
    body: bodyHash(Buffer.from('{}')),
    meaning: meaningOf(sent),
    ...changed,
  };
}

function verifier(roleMax: Role = 'admin', node = 'edge-1'): SignatureVerifier {
  return new SignatureVerifier({ node, key, clock, roleMax });
}

/** Headers that say on what condition, and what is sent. */
const sent = { 'if-match': '"p1"', 'content-type': 'application/json' };
const seen = { method: 'DELETE', target: '/v1/pins/a%2Fb?force=true' };

test('a signed request is for its caller, with the lesser of their role and what the node allows', () => {
  const headers = { ...sent, ...signedHeaders(key, facts()) };
  const vouched = verifier().verify({ ...seen, headers });
  assert.deepEqual(vouched, {
    caller: { actor: 'api:ci via:m1', role: 'operator' },
    manager: 'm1',
    bodyHash: bodyHash(Buffer.from('{}')),
  });
  const capped = verifier('reader').verify({
    ...seen,
    headers: { ...sent, ...signedHeaders(key, facts({ role: 'admin' })) },
  });
  assert.equal(capped?.caller.role, 'reader');
  const low = verifier('operator').verify({
    ...seen,
    headers: { ...sent, ...signedHeaders(key, facts({ role: 'viewer' })) },
  });
  assert.equal(low?.caller.role, 'viewer');
  assert.equal(verifier().verify({ ...seen, headers: {} }), undefined, 'it does not say it is signed');
});

test('the signature is HMAC-SHA-256 of everything that matters, as docs/fleet.md says', () => {
  const told = facts();
  const { node, method, target, manager, timeMs, nonce, actor, role, body } = told;
  const order = [
    'pinfold-request-v2',
    node,
    method,
    target,
    manager,
    timeMs,
    nonce,
    actor,
    role,
    body,
    ['"p1"', null, null, 'application/json'],
  ];
  const mac = createHmac('sha256', key).update(JSON.stringify(order)).digest('base64url');
  assert.equal(signedHeaders(key, told)['pinfold-signature'], `v2;m1;${timeMs};${nonce};${body};${mac}`);
});

test('nothing about a signed request can be changed', () => {
  const changes: readonly Partial<SignedFacts>[] = [
    { node: 'edge-2' },
    { method: 'GET' },
    { target: '/v1/pins/a%2Fb' },
    { manager: 'm2' },
    { timeMs: clock.now().getTime() + 1 },
    { nonce: 'x'.repeat(22) },
    { actor: 'api:root' },
    { role: 'admin' },
    { body: bodyHash(Buffer.from('{"force":true}')) },
  ];
  for (const change of changes) {
    const told = facts();
    const { 'pinfold-signature': good = '' } = signedHeaders(key, told);
    const other = signedHeaders(key, { ...told, ...change });
    const mac = good.slice(good.lastIndexOf(';'));
    const forged = String(other['pinfold-signature']).replace(/;[^;]*$/, mac);
    const { node, method, target } = { ...told, ...change };
    const request = { method, target, headers: { ...sent, ...other, 'pinfold-signature': forged } };
    const asked = (): unknown => verifier('admin', node).verify(request);
    assert.throws(asked, isCode('unauthenticated'), JSON.stringify(change));
  }
  const given = { 'if-match': '"p2"', 'if-none-match': '*', 'idempotency-key': 'k', 'content-type': 'a/b' };
  for (const [name, value] of Object.entries(given)) {
    const changed = { ...sent, ...signedHeaders(key, facts()), [name]: value };
    assert.throws(() => verifier().verify({ ...seen, headers: changed }), isCode('unauthenticated'), name);
  }
  const bare = signedHeaders(key, facts());
  assert.throws(
    () => verifier().verify({ ...seen, headers: bare }),
    isCode('unauthenticated'),
    'none at all',
  );
  const headers = { ...sent, ...signedHeaders(newClusterKey(), facts()) };
  assert.throws(() => verifier().verify({ ...seen, headers }), isCode('unauthenticated'), 'another key');
  for (const text of ['', 'v2;;;;;', 'v3;m1;1', 'v2;m1;9999999999999;a;b;c', 'x'.repeat(5000)]) {
    const broken = { ...signedHeaders(key, facts()), 'pinfold-signature': text };
    assert.throws(() => verifier().verify({ ...seen, headers: broken }), isCode('unauthenticated'), text);
  }
});

test('a signature of the first form is refused in words that say what to do', () => {
  const told = facts();
  const { node, method, target, manager, timeMs, nonce, actor, role, body } = told;
  const order = ['pinfold-request-v1', node, method, target, manager, timeMs, nonce, actor, role, body];
  const mac = createHmac('sha256', key).update(JSON.stringify(order)).digest('base64url');
  const first = `v1;${manager};${timeMs};${nonce};${body};${mac}`;
  const headers = { ...signedHeaders(key, told), 'pinfold-signature': first };
  assert.throws(() => verifier().verify({ ...seen, headers }), /\(v1\), and this node takes v2 alone/);
});

test('a request is good once, and only while it is fresh', () => {
  const one = verifier();
  const headers = { ...sent, ...signedHeaders(key, facts()) };
  assert.ok(one.verify({ ...seen, headers }));
  assert.throws(() => one.verify({ ...seen, headers }), /was sent before/);
  const windowMs = limits.signatureWindowMs;
  clock.pass(windowMs);
  const at = clock.now().getTime();
  for (const timeMs of [at - windowMs, at + windowMs])
    assert.ok(one.verify({ ...seen, headers: { ...sent, ...signedHeaders(key, facts({ timeMs })) } }));
  for (const timeMs of [at - windowMs - 1, at + windowMs + 1]) {
    const stale = { ...sent, ...signedHeaders(key, facts({ timeMs })) };
    assert.throws(() => one.verify({ ...seen, headers: stale }), /clocks of manager and node/);
  }
  const ahead = { ...sent, ...signedHeaders(key, facts({ timeMs: at + windowMs })) };
  assert.ok(one.verify({ ...seen, headers: ahead }));
  clock.pass(2 * windowMs - 1);
  assert.throws(() => one.verify({ ...seen, headers: ahead }), isCode('unauthenticated'));
});

test('what was signed before an agent started is refused: it may have been carried out then', () => {
  const headers = { ...sent, ...signedHeaders(key, facts()) };
  assert.ok(verifier().verify({ ...seen, headers }));
  clock.pass(1);
  const restarted = verifier();
  assert.throws(() => restarted.verify({ ...seen, headers }), /before this agent started/);
  assert.ok(restarted.verify({ ...seen, headers: { ...sent, ...signedHeaders(key, facts()) } }));
});

test('as many requests are remembered as the limit says, and none of those is forgotten', () => {
  const one = verifier();
  const first = { ...sent, ...signedHeaders(key, facts()) };
  one.verify({ ...seen, headers: first });
  for (let count = 1; count < limits.signatureNoncesMax; count += 1) {
    one.verify({ ...seen, headers: { ...sent, ...signedHeaders(key, facts()) } });
  }
  const more = { ...sent, ...signedHeaders(key, facts()) };
  assert.throws(() => one.verify({ ...seen, headers: more }), isCode('too_many_requests'));
  assert.throws(() => one.verify({ ...seen, headers: first }), isCode('unauthenticated'));
  clock.pass(3 * limits.signatureWindowMs);
  assert.ok(
    one.verify({ ...seen, headers: { ...sent, ...signedHeaders(key, facts()) } }),
    'old ones make room',
  );
});

test('a key file is made once, is its owner’s alone, and is refused when it is not', () => {
  using dir = tempDir('cluster-key');
  const file = join(dir.path, 'key');
  writeClusterKey(file);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const made = readClusterKey(file);
  assert.equal(made.length, 32);
  assert.throws(() => writeClusterKey(file), /cannot be made \(EEXIST\)/);
  assert.deepEqual(readClusterKey(file), made, 'the first key stays');
  chmodSync(file, 0o640);
  assert.throws(() => readClusterKey(file), /chmod 600/);
  chmodSync(file, 0o600);
  const text = readFileSync(file, 'utf8');
  for (const wrong of ['', text.slice(0, -3), `${text}${text}`, text.replace('v1', 'v2')]) {
    writeFileSync(file, wrong);
    assert.throws(() => readClusterKey(file), /no cluster key/);
  }
  assert.throws(() => readClusterKey(join(dir.path, 'none')), ConfigError);
});

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof PinfoldError && error.code === code;
}
