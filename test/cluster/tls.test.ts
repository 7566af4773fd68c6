import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { startEtcd } from '../support/etcd.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** A key and a certificate that is its own authority, made by openssl. */
function certificate(directory: string, name: string): { readonly cert: string; readonly key: string } {
  const cert = join(directory, `${name}.pem`);
  const key = join(directory, `${name}.key`);
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', [...kind, '-keyout', key, '-out', cert, ...subject, '-days', '2'], {
    stdio: 'ignore',
  });
  return { cert, key };
}

test('with certificates managers and nodes know each other, and a stranger is named', async () => {
  using dir = tempDir('fleet-tls');
  using etcd = await startEtcd();
  const clusterKey = join(dir.path, 'cluster.key');
  writeClusterKey(clusterKey);
  const ours = certificate(dir.path, 'ours');
  const theirs = certificate(dir.path, 'theirs');
  const settings = (node: string, { cert, key }: typeof ours) => ({
    node,
    etcd: etcd.urls,
    'cluster-key': clusterKey,
    'tls-cert': cert,
    'tls-key': key,
    'tls-client-ca': cert,
  });
  await using manager = await testAgent({ settings: { ...settings('m', ours), manager: true } });
  await using node = await testAgent({ settings: settings('n', ours) });
  await using stranger = await testAgent({ settings: settings('s', theirs) });
  assert.match(node.url, /^https:/);
  createMap(`${node.bpffs.path}/far`, { name: 'pf_fleet' });
  await node.local.get('/v1/pins?fresh=true').expect(200);
  const { body } = await until(
    'all to be in the fleet',
    async () => await manager.local.get('/v1/cluster/pins'),
    (answer) => answer.body.items.length + answer.body.unreachable.length === 2,
    { timeoutMs: 60_000, everyMs: 100 },
  );
  assert.deepEqual(
    body.items.map(({ node: name, path }: Record<string, string>) => `${name}:${path}`),
    ['n:far'],
  );
  assert.deepEqual(
    body.unreachable.map(({ node: name }: Record<string, string>) => name),
    ['s'],
  );
  assert.match(body.unreachable[0].reason, /certificate|signed/i);
  await manager.local.get('/v1/cluster/nodes/n/api/v1/pins/far').expect(200);
  await stranger.local.get('/v1/pins').expect(200);
});
