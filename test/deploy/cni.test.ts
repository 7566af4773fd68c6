import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import test, { after } from 'node:test';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { disposable } from '../support/disposal.ts';
import { start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';

const agent = await testAgent();
after(() => agent[Symbol.asyncDispose]());
const plugin = repoPath('deploy/cni/pinfold');
mkdirSync(`${agent.bpffs.path}/net`);
createMap(`${agent.bpffs.path}/net/policy`, { name: 'pf_cni' });

type Environment = Readonly<Record<string, string | undefined>>;

const config = { cniVersion: '1.1.0', name: 'pods', type: 'pinfold', claim: ['net/policy'] };
const attachment = {
  CNI_CONTAINERID: 'c1',
  CNI_IFNAME: 'eth0',
  CNI_NETNS: '/run/netns/x',
  CNI_PATH: '/usr/lib/cni',
};

/** Calls it as the specification says: everything in the environment and on standard input. */
async function call(command: string, given: unknown, others: Environment = {}) {
  const env = {
    PINFOLD_SOCKET: agent.socket,
    PINFOLD_TIMEOUT: '5',
    ...attachment,
    CNI_COMMAND: command,
    ...others,
  };
  using child = start(plugin, [], { env });
  child.write(typeof given === 'string' ? given : JSON.stringify(given));
  child.end();
  const { code } = await child.exit(30_000);
  const text = child.lines.join('\n');
  return { code, text, said: text === '' ? undefined : JSON.parse(text), err: child.stderr() };
}

async function owners(): Promise<readonly string[]> {
  const { body } = await agent.local.get('/v1/claims').expect(200);
  return body.items.map(({ owner }: { readonly owner: string }) => owner);
}

test('VERSION needs no agent, and says what the specification wants', async () => {
  const { code, said } = await call('VERSION', { cniVersion: '1.1.0' }, { PINFOLD_SOCKET: '/nowhere' });
  assert.equal(code, 0);
  assert.deepEqual(said, { cniVersion: '1.1.0', supportedVersions: ['0.4.0', '1.0.0', '1.1.0'] });
});

test('ADD passes on what a real plugin before it made, DEL releases, and both may be repeated', async () => {
  const name = `pf-cni-${process.pid}`;
  execFileSync('ip', ['netns', 'add', name]);
  using _ = disposable(() => execFileSync('ip', ['netns', 'del', name]));
  const env = { ...process.env, ...attachment, CNI_NETNS: `/run/netns/${name}`, CNI_IFNAME: 'lo' };
  const loopback = { cniVersion: '1.0.0', name: 'pods', type: 'loopback' };
  const printed = execFileSync('/usr/lib/cni/loopback', [], {
    env: { ...env, CNI_COMMAND: 'ADD' },
    input: JSON.stringify(loopback),
  });
  const prevResult = JSON.parse(printed.toString());
  assert.ok(prevResult.interfaces.length > 0, 'the plugin before it did something');
  const chained = { ...config, cniVersion: '1.0.0', prevResult };
  const added = await call('ADD', chained);
  assert.deepEqual([added.code, added.said, added.err], [0, prevResult, '']);
  assert.equal((await call('ADD', chained)).code, 0);
  assert.deepEqual(await owners(), ['cni:pods:c1:eth0']);
  assert.deepEqual((await call('CHECK', chained)).text, '');
  for (let time = 0; time < 2; time++)
    assert.deepEqual([(await call('DEL', chained)).code, await owners()], [0, []]);
  const gone = await call('CHECK', chained);
  assert.deepEqual([gone.code, gone.said.code], [1, 100]);
});

test('a key that is one of ours misspelt is named; those of CNI and runtimes are passed over', async () => {
  const misspelt = [
    'claims',
    'Claim',
    'clam',
    'cliam',
    'klaim',
    'waits',
    'wiat',
    'Wait',
    'timout',
    'pinfold/wait',
  ];
  for (const key of misspelt) {
    const { code, said } = await call('ADD', { ...config, [key]: ['net/policy'] });
    assert.deepEqual([code, said.code], [1, 7], key);
    const pointer = `/body/${key.replace('/', '~1')}`;
    assert.ok(said.msg.startsWith(`The request is not valid: ${pointer} is not known here; `), said.msg);
  }
  assert.deepEqual(await owners(), []);
  const others = {
    dns: {},
    ipam: {},
    args: {},
    capabilities: {},
    deviceID: 'x',
    unit: 1,
    mtu: 1,
    'cni.dev/wait': 1,
  };
  assert.equal((await call('ADD', { ...config, ...others })).code, 0);
  assert.equal((await call('DEL', { ...config, claims: [] })).code, 0, 'whatever it says, it ends');
  assert.deepEqual(await owners(), []);
});

test('ADD at the head of a chain prints a result without interfaces', async () => {
  const { code, said } = await call('ADD', { ...config, claim: undefined, wait: ['net/policy'] });
  assert.deepEqual([code, said], [0, { cniVersion: '1.1.0' }]);
  assert.deepEqual(await owners(), [], 'who only waits claims nothing');
});

test('ADD of a pin that does not come is to be tried again, and claims nothing', async () => {
  const { code, said } = await call('ADD', { ...config, claim: ['net/never'], timeout: '200ms' });
  assert.deepEqual([code, said.code, said.cniVersion], [1, 11, '1.1.0']);
  assert.equal(said.msg, 'No pin came to net/never within 0.2 s.');
  assert.deepEqual(await owners(), []);
});

test('annotations that a runtime passes on count like the configuration', async () => {
  const annotations = { 'pinfold/claim': 'net/policy', 'pinfold/timeout': '100ms', other: '\u0000"$(x)' };
  const runtimeConfig = { 'io.kubernetes.cri.pod-annotations': annotations };
  const given = { ...config, claim: undefined, wait: ['net/late'], runtimeConfig };
  const { said } = await call('ADD', given);
  assert.equal(said.msg, 'No pin came to net/late within 0.1 s.');
  assert.equal((await call('ADD', { ...given, wait: [] })).code, 0);
  assert.deepEqual(await owners(), ['cni:pods:c1:eth0']);
  assert.equal((await call('DEL', given)).code, 0);
});

test('GC releases what of its network is not named, and nothing where nobody names anything', async () => {
  await call('ADD', config);
  await call('ADD', config, { CNI_CONTAINERID: 'c2' });
  await call('ADD', { ...config, name: 'others' });
  const all = ['cni:others:c1:eth0', 'cni:pods:c1:eth0', 'cni:pods:c2:eth0'];
  const bare = { CNI_CONTAINERID: undefined, CNI_IFNAME: undefined };
  const refused = await call('GC', config, bare);
  assert.deepEqual([refused.code, refused.said.code, await owners()], [1, 7, all]);
  const valid = [{ containerID: 'c2', ifname: 'eth0' }];
  const collected = await call('GC', { ...config, 'cni.dev/valid-attachments': valid }, bare);
  assert.deepEqual([collected.code, collected.text], [0, '']);
  assert.deepEqual(await owners(), ['cni:others:c1:eth0', 'cni:pods:c2:eth0']);
  await call('GC', { ...config, 'cni.dev/valid-attachments': [] }, bare);
  await call('DEL', { ...config, name: 'others' });
  assert.deepEqual(await owners(), []);
});

test('STATUS tells whether the agent is there, and DEL does not need it', async () => {
  assert.deepEqual((await call('STATUS', config)).text, '');
  const nobody = { PINFOLD_SOCKET: '/nowhere/agent.sock', PINFOLD_TIMEOUT: '1' };
  const status = await call('STATUS', config, nobody);
  assert.deepEqual([status.code, status.said.code], [1, 50]);
  const added = await call('ADD', config, nobody);
  assert.deepEqual([added.code, added.said.code], [1, 11]);
  const deleted = await call('DEL', config, nobody);
  assert.deepEqual([deleted.code, deleted.text], [0, '']);
  assert.match(deleted.err, /stay until GC/);
});

const wrong: readonly (readonly [string, string, unknown, Environment, number])[] = [
  ['a version it does not speak', 'ADD', { ...config, cniVersion: '0.2.0' }, {}, 1],
  ['no command', '', config, {}, 4],
  ['a container id that is a command', 'ADD', config, { CNI_CONTAINERID: 'a$(touch /tmp/pf-canary)' }, 4],
  ['a container id that is an option', 'DEL', config, { CNI_CONTAINERID: '-o/tmp/pf-canary' }, 4],
  ['a container id with a line break', 'ADD', config, { CNI_CONTAINERID: 'a\nb' }, 4],
  ['no container id', 'CHECK', config, { CNI_CONTAINERID: undefined }, 4],
  ['an interface name that adds to the URL', 'ADD', config, { CNI_IFNAME: 'e&command=gc' }, 4],
  ['an interface name that is too long', 'ADD', config, { CNI_IFNAME: 'sixteen-letters-' }, 4],
  ['no JSON', 'ADD', '{"cniVersion":', {}, 6],
  ['a name that is no name', 'ADD', { ...config, name: '../x' }, {}, 7],
  ['a path that is none', 'ADD', { ...config, claim: ['a/../b"'] }, {}, 7],
  ['a time that is none', 'ADD', { ...config, timeout: 'soon' }, {}, 7],
  ['pins without end', 'ADD', { ...config, wait: Array(65).fill('a') }, {}, 7],
  ['a timeout that is no number', 'ADD', config, { PINFOLD_TIMEOUT: '5;id' }, 4],
];

for (const [what, command, given, env, expected] of wrong) {
  test(`${what} is refused with code ${expected}`, async () => {
    const { code, said } = await call(command, given, env);
    assert.deepEqual([code, said.code, typeof said.msg], [1, expected, 'string'], JSON.stringify(said));
    assert.deepEqual(await owners(), []);
    assert.equal(existsSync('/tmp/pf-canary'), false);
  });
}
