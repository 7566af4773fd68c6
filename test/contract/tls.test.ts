import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { testAgent } from '../support/agent.ts';
import { tempDir } from '../support/temp-dir.ts';

const run = promisify(execFile);

/** A key and a certificate of its own authority, made by openssl. */
function certificate(directory: string, name: string): { readonly cert: string; readonly key: string } {
  const cert = join(directory, `${name}.pem`);
  const key = join(directory, `${name}.key`);
  const subject = [
    '-subj',
    `/CN=${name}`,
    '-addext',
    'subjectAltName=DNS:localhost,IP:127.0.0.1',
    '-days',
    '2',
  ];
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', [...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  return { cert, key };
}

test('with TLS an agent speaks to who trusts it; with a client CA, to those it trusts', async () => {
  using dir = tempDir('tls');
  const server = certificate(dir.path, 'server');
  const client = certificate(dir.path, 'client');
  const stranger = certificate(dir.path, 'stranger');
  const settings = { 'tls-cert': server.cert, 'tls-key': server.key };
  const status = async (url: string, secret: string, ...more: string[]): Promise<string> => {
    const trust = ['--cacert', server.cert, '-H', `authorization: Bearer ${secret}`];
    const args = ['-s', '-o', '/dev/null', '-w', '%{http_code}', ...trust, ...more, `${url}/v1/node`];
    return (await run('curl', args)).stdout;
  };
  await using open = await testAgent({ settings });
  assert.match(open.url, /^https:/);
  assert.equal(await status(open.url, open.secret), '200');
  await assert.rejects(status(open.url.replace('https:', 'http:'), open.secret));

  await using strict = await testAgent({ settings: { ...settings, 'tls-client-ca': client.cert } });
  assert.equal(await status(strict.url, strict.secret, '--cert', client.cert, '--key', client.key), '200');
  assert.equal(
    await status(strict.url, 'wrong', '--cert', client.cert, '--key', client.key),
    '401',
    'a token is needed all the same',
  );
  await assert.rejects(status(strict.url, strict.secret));
  await assert.rejects(status(strict.url, strict.secret, '--cert', stranger.cert, '--key', stranger.key));
});
