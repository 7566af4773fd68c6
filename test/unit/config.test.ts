import assert from 'node:assert/strict';
import test from 'node:test';
import {
  agentOptions,
  ConfigError,
  mergeConfig,
  parseEnvironment,
  type Settings,
} from '../../src/model/config.ts';

const merge = (parts: {
  flags?: Settings;
  env?: Record<string, string>;
  file?: unknown;
  fileMode?: number;
}) =>
  mergeConfig({
    flags: parts.flags ?? {},
    env: parseEnvironment(parts.env ?? {}),
    file: parts.file,
    fileMode: parts.fileMode ?? 0o644,
    hostName: 'here',
  });

test('without any setting the agent is what the guide says', () => {
  const config = merge({});
  assert.equal(config.bpffs, '/sys/fs/bpf');
  assert.equal(config.stateDir, '/var/lib/pinfold');
  assert.equal(config.runDir, '/run/pinfold');
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 7463 });
  assert.equal(config.node, 'here');
  assert.equal(config.retentionMs, 30 * 24 * 3600 * 1000);
  assert.equal(config.retentionBytes, 1024 ** 3);
  assert.equal(config.tls, undefined);
});

test('a flag wins over the environment, and the environment over the file', () => {
  const file = { node: 'file', listen: 'none', 'state-dir': '/file' };
  const env = { PINFOLD_NODE: 'env', PINFOLD_STATE_DIR: '/env' };
  const config = merge({ flags: { node: 'flag' }, env, file });
  assert.equal(config.node, 'flag');
  assert.equal(config.stateDir, '/env');
  assert.equal(config.listen, undefined);
});

test('every option can be set by PINFOLD_*, and all but the file by a key of it', () => {
  const samples: Record<string, string> = {
    bpffs: '/b',
    'state-dir': '/s',
    'run-dir': '/r',
    listen: '[::1]:1',
    node: 'n',
    label: 'k=v',
    'allow-host': 'h',
    'tls-cert': '/c',
    'tls-key': '/k',
    'tls-client-ca': '/a',
    retention: '2m',
    'retention-size': '2MiB',
    'webhook-allow': '10.0.0.0/8',
    'webhook-ca': '/w',
    'log-level': 'debug',
    config: '/f',
    etcd: 'https://e:2379',
    'etcd-ca': '/ea',
    'etcd-cert': '/ec',
    'etcd-key': '/ek',
    'cluster-key': '/ck',
    advertise: 'h:1',
    'fleet-role': 'viewer',
  };
  const tls = { 'tls-cert': '/c', 'tls-key': '/k' };
  const etcdTls = { 'etcd-ca': '/ea', 'etcd-cert': '/ec', 'etcd-key': '/ek' };
  const fleet = { etcd: ['https://e:2379'], 'cluster-key': '/ck', ...etcdTls };
  for (const { name, takes } of agentOptions) {
    const value = takes === 'switch' ? 'true' : (samples[name] ?? '');
    const variable = `PINFOLD_${name.toUpperCase().replaceAll('-', '_')}`;
    const wanted = takes === 'switch' ? true : takes === 'list' ? [value] : value;
    assert.deepEqual(parseEnvironment({ [variable]: value }), { [name]: wanted }, variable);
    const others = name.startsWith('tls-') ? tls : fleet;
    if (name === 'config') continue;
    assert.doesNotThrow(
      () => merge({ file: { ...others, [name]: takes === 'switch' ? true : value } }),
      name,
    );
  }
});

test('lists may be repeated, and labels of a file may be a mapping', () => {
  const config = merge({ flags: { label: ['a=1', 'b=2=3'], 'allow-host': ['Node.Example'] } });
  assert.deepEqual(config.labels, { a: '1', b: '2=3' });
  assert.deepEqual(config.allowHosts, ['node.example']);
  assert.deepEqual(merge({ file: { label: { zone: 'a' } } }).labels, { zone: 'a' });
});

test('users and groups get their roles from the file alone', () => {
  const config = merge({ file: { users: { alice: 'operator' }, groups: { '27': 'viewer' } } });
  assert.deepEqual(config.users, { alice: 'operator' });
  assert.deepEqual(config.groups, { '27': 'viewer' });
});

const wrong: readonly (readonly [string, Parameters<typeof merge>[0], RegExp])[] = [
  ['a relative path', { flags: { 'state-dir': 'var' } }, /--state-dir wants an absolute path/],
  ['an address without a port', { flags: { listen: '127.0.0.1' } }, /--listen wants HOST:PORT/],
  ['a port that is too high', { flags: { listen: 'localhost:65536' } }, /--listen wants HOST:PORT/],
  ['half of TLS', { flags: { 'tls-cert': '/c' } }, /both --tls-cert and --tls-key/],
  ['a label without a value', { flags: { label: ['zone'] } }, /--label wants KEY=VALUE/],
  ['a retention that is no time', { flags: { retention: 'long' } }, /--retention wants a time/],
  ['a retention below a minute', { flags: { retention: '59s' } }, /--retention wants a time/],
  ['a size that is none', { flags: { 'retention-size': 'much' } }, /--retention-size wants a size/],
  ['a size below a MiB', { flags: { 'retention-size': '1023KiB' } }, /--retention-size wants a size/],
  [
    'a range of no addresses',
    { flags: { 'webhook-allow': ['10.0.0.1/8'] } },
    /--webhook-allow wants addresses/,
  ],
  ['a level that is none', { flags: { 'log-level': 'loud' } }, /--log-level is one of/],
  ['a switch that is neither', { env: { PINFOLD_READ_ONLY: 'maybe' } }, /PINFOLD_READ_ONLY is true or false/],
  ['a node name with a space', { flags: { node: 'a b' } }, /is not a node name/],
  ['an unknown key in the file', { file: { nonsense: 1 } }, /"nonsense" in the configuration file/],
  ['a file that is a list', { file: [] }, /must be a mapping/],
  ['a role that is none', { file: { users: { bob: 'king' } } }, /"king" is not a role/],
  [
    'a setting spelled in two ways in the file',
    { file: { 'read-only': true, read_only: false } },
    /"read-only" is twice in the configuration file/,
  ],
  ['a file that names another', { file: { config: '/other.yaml' } }, /"config" .* would have no effect/],
  [
    'a file that gives users roles and that its group can write',
    { file: { users: { bob: 'viewer' } }, fileMode: 0o100664 },
    /gives roles, and others than its owner can write it/,
  ],
  [
    'a file that gives groups roles and that everybody can write',
    { file: { groups: { staff: 'viewer' } }, fileMode: 0o100646 },
    /gives roles, and others than its owner can write it/,
  ],
  ['a switch of the file that is a text', { file: { 'read-only': 'yes' } }, /"read-only" .* true or false/],
];

for (const [what, parts, sentence] of wrong) {
  test(`${what} is refused with a sentence`, () => {
    assert.throws(
      () => merge(parts),
      (error: unknown) => error instanceof ConfigError && sentence.test(error.message),
    );
  });
}

test('a file that gives no roles may be writable by others than its owner', () => {
  assert.equal(merge({ file: { node: 'n', users: {} }, fileMode: 0o100666 }).node, 'n');
});
