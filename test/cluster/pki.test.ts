import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { parseIdentity } from '../../src/cluster/pki/identity.ts';
import { commandLine } from '../support/command-line.ts';
import { tempDir } from '../support/temp-dir.ts';

const openssl = (...words: readonly string[]): string =>
  execFileSync('openssl', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const textOf = (file: string): string => openssl('x509', '-in', file, '-noout', '-text');

async function pki(...words: readonly string[]): Promise<string> {
  const { code, out, err } = await commandLine(['pki', ...words]);
  assert.deepEqual([code, err], [0, '']);
  return out;
}

test('the authority and what it issues are what openssl takes for one, and for a node’s', async () => {
  using dir = tempDir('pki');
  const at = join(dir.path, 'fleet');
  assert.match(await pki('init', at), /ca\.crt and .*ca\.key made, good until \d{4}-\d\d-\d\d\n$/);
  const hosts = ['--san', '10.0.0.5', '--san', 'edge.example', '--san', 'fd00::5'];
  await pki('issue', at, '--node', 'edge-1', '--manager', '--days', '30', ...hosts);
  const ca = join(at, 'ca.crt');
  const cert = join(at, 'edge-1.crt');
  for (const purpose of ['sslserver', 'sslclient'])
    openssl('verify', '-x509_strict', '-CAfile', ca, '-purpose', purpose, cert);
  openssl('verify', '-CAfile', ca, '-verify_ip', '10.0.0.5', '-verify_hostname', 'edge.example', cert);
  const authority = textOf(ca);
  assert.match(authority, /Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/);
  assert.match(authority, /Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
  const issued = textOf(cert);
  assert.match(issued, /Subject: CN = edge-1\n/);
  assert.match(issued, /NIST CURVE: P-256\n/);
  assert.match(issued, /Signature Algorithm: ecdsa-with-SHA256\n/);
  assert.match(issued, /Basic Constraints: critical\s+CA:FALSE\n/);
  assert.match(
    issued,
    /Extended Key Usage: \s+TLS Web Server Authentication, TLS Web Client Authentication\n/,
  );
  const names = 'URI:pinfold://node/edge-1, URI:pinfold://manager/edge-1, DNS:edge-1, IP Address:10.0.0.5';
  assert.ok(issued.includes(`${names}, DNS:edge.example, IP Address:FD00:0:0:0:0:0:0:5\n`), issued);
  const key = openssl('pkey', '-in', join(at, 'edge-1.key'), '-pubout');
  assert.equal(key, openssl('x509', '-in', cert, '-noout', '-pubkey'), 'the key is that of the certificate');
  openssl('x509', '-in', cert, '-noout', '-checkend', String(29 * 86_400));
  assert.equal(spawnSync('openssl', ['x509', '-in', cert, '-noout', '-checkend', '2592001']).status, 1);
});

test('what one authority issued is not taken for another’s, and a caller’s has no identity', async () => {
  using dir = tempDir('pki');
  const [one, other] = [join(dir.path, 'one'), join(dir.path, 'other')];
  for (const at of [one, other]) await pki('init', at);
  await pki('issue', one, '--client', 'alice');
  const verify = (ca: string, cert: string): number | null =>
    spawnSync('openssl', ['verify', '-CAfile', join(ca, 'ca.crt'), join(one, cert)]).status;
  assert.deepEqual([verify(one, 'alice.crt'), verify(other, 'alice.crt')], [0, 2]);
  assert.doesNotMatch(textOf(join(one, 'alice.crt')), /pinfold:\/\//);
});

test('keys are their owner’s alone, and nothing that is there is overwritten', async () => {
  using dir = tempDir('pki');
  const at = join(dir.path, 'fleet');
  await pki('init', at);
  await pki('issue', at, '--node', 'a');
  const modes = Object.fromEntries(
    readdirSync(at).map((name) => [name, statSync(join(at, name)).mode & 0o777]),
  );
  assert.deepEqual(modes, { 'a.crt': 0o644, 'a.key': 0o600, 'ca.crt': 0o644, 'ca.key': 0o600 });
  assert.equal(statSync(at).mode & 0o777, 0o700);
  const before = readdirSync(at).map((name) => readFileSync(join(at, name), 'utf8'));
  for (const words of [
    ['init', at],
    ['issue', at, '--node', 'a'],
    ['issue', at, '--manager', 'a'],
  ]) {
    const { code, err } = await commandLine(['pki', ...words]);
    assert.equal(code, 1);
    assert.match(err, /cannot be made \(EEXIST\)/);
  }
  assert.deepEqual(
    readdirSync(at).map((name) => readFileSync(join(at, name), 'utf8')),
    before,
  );
  const open = join(dir.path, 'open');
  mkdirSync(open);
  chmodSync(open, 0o755);
  const refused = await commandLine(['pki', 'init', open]);
  assert.match(refused.err, /Others than its owner can use .*chmod 700 it/);
  assert.deepEqual(readdirSync(open), []);
});

test('what cannot be issued is said in a sentence', async () => {
  using dir = tempDir('pki');
  const at = join(dir.path, 'fleet');
  const none = await commandLine(['pki', 'issue', at, '--node', 'a']);
  assert.match(none.err, /has no authority that can be used \(ENOENT\); pinfold pki init DIR makes one/);
  const nowhere = await commandLine(['pki', 'init', '/proc/none/fleet']);
  assert.deepEqual([nowhere.code, nowhere.err.match(/\/proc\/none cannot .* name another/)?.length], [1, 1]);
  await pki('init', at, '--days', '10');
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /Say whose it is, by one name/],
    [['--node', 'a', '--client', 'b'], /Say whose it is, by one name/],
    [['--manager'], /Say whose it is, by one name/],
    [['--node', '../a'], /not the name of a certificate/],
    [['--node', 'root'], /root is the name of etcd’s own administrator/],
    [['--manager', 'root'], /root is the name of etcd’s own administrator/],
    [['--client', 'ca'], /ca is that of the authority/],
    [['--node', 'a', '--san', '*.example'], /neither a host name nor an IP address/],
    [['--node', 'a', '--days', '0'], /0/],
  ];
  for (const [words, sentence] of wrong) {
    const { code, err } = await commandLine(['pki', 'issue', at, ...words]);
    assert.notEqual(code, 0, words.join(' '));
    assert.match(err, sentence);
  }
  assert.deepEqual(readdirSync(at).sort(), ['ca.crt', 'ca.key']);
  const { out } = await commandLine(['pki', 'issue', at, '--node', 'a_b', '-o', 'json']);
  const { not_after: end } = JSON.parse(out);
  const ca = new X509Certificate(readFileSync(join(at, 'ca.crt')));
  assert.equal(end, new Date(ca.validTo).toISOString(), 'not longer than its authority');
  assert.match(textOf(join(at, 'a_b.crt')), /Alternative Name: \s+URI:pinfold:\/\/node\/a_b\n/);
});

test('an identity is a URI of that exact form, and nothing that only looks like one in a text', () => {
  const none = { node: undefined, manager: undefined };
  const cases: readonly (readonly [string | undefined, object])[] = [
    [undefined, none],
    ['', none],
    ['URI:pinfold://node/a', { node: 'a', manager: undefined }],
    ['DNS:x, URI:pinfold://manager/m-1, IP Address:10.0.0.1', { node: undefined, manager: 'm-1' }],
    ['URI:pinfold://node/a, URI:pinfold://manager/b', { node: 'a', manager: 'b' }],
    ['URI:pinfold://node/a, URI:pinfold://node/b', none],
    ['DNS:pinfold://node/a', none],
    ['DNS:"x, URI:pinfold://manager/evil"', none],
    ['URI:"pinfold://manager/a, b"', none],
    ['URI:pinfold://manager/', none],
    ['URI:pinfold://manager/a/b', none],
    ['URI:pinfold://manager/a%2fb', none],
    ['URI:PINFOLD://manager/a', none],
    ['URI:pinfold://manager/a, "', none],
  ];
  for (const [text, identity] of cases) assert.deepEqual(parseIdentity(text), identity, text);
});
