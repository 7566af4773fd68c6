import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import test from 'node:test';
import supertest from 'supertest';
import { parse } from 'yaml';
import { createMap } from '../support/bpftool.ts';
import { forFile } from '../support/disposal.ts';
import { start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { until } from '../support/until.ts';
import { hookScript } from './oci-fixture.ts';
import { bootSystemd } from './systemd-fixture.ts';

// What the seccomp filter does not allow ends the agent here instead of failing: nothing it does needs it.
const changes = 'SystemCallErrorNumber=\nWatchdogSec=2\nRestartSec=100ms\nEnvironment=PINFOLD_LISTEN=none\n';
const systemd = forFile(await bootSystemd({ 'pinfold.service': changes }));
const local = supertest.agent(`http+unix://${encodeURIComponent(systemd.inside('/run/pinfold/agent.sock'))}`);
const pinned = (path: string): string => systemd.inside(`/sys/fs/bpf/${path}`);
const said = (): string => readFileSync(systemd.inside('/run/said'), 'utf8');
const agentPid = (): Promise<string> => systemd.property('pinfold.service', 'MainPID');

/** The value of one line of /proc/PID/status of the agent. */
async function status(name: string): Promise<string> {
  const text = readFileSync(systemd.inside(`/proc/${await agentPid()}/status`), 'utf8');
  return new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(text)?.[1] ?? '';
}

test('systemd starts the agent by its unit, and is told that it is ready and what it sees', async () => {
  const started = await systemd.systemctl('start', 'pinfold.service');
  assert.equal(started.code, 0, started.out);
  assert.equal(await systemd.property('pinfold.service', 'SubState'), 'running');
  assert.match(await systemd.property('pinfold.service', 'StatusText'), /^Sees \d+ pins/);
});

test('it has the capabilities of the unit and of deploy/compose, and can get no others', async () => {
  const listed = spawnSync('setpriv', ['--list-caps'], { encoding: 'utf8' }).stdout.trim().split('\n');
  const bits = BigInt(`0x${await status('CapBnd')}`);
  const has = listed
    .filter((_, bit) => ((bits >> BigInt(bit)) & 1n) === 1n)
    .map((name) => name.toUpperCase());
  const { services } = parse(readFileSync(repoPath('deploy/compose/node.yml'), 'utf8'));
  assert.deepEqual(has.sort(), [...services.agent.cap_add].sort());
  assert.deepEqual([await status('NoNewPrivs'), await status('Seccomp')], ['1', '2']);
  assert.equal(await status('CapEff'), await status('CapBnd'));
});

test('so confined it pins, reads, explains, changes, backs up and unpins', async () => {
  const { id } = createMap(pinned('first'), { name: 'pf_unit' });
  const pin = {
    source: { kind: 'map', id },
    parents: true,
    mode: '0640',
    uid: 12,
    gid: 34,
    labels: { a: 'b' },
  };
  await local.put('/v1/pins/dir/second').send(pin).expect(201);
  const { mode, uid, gid } = statSync(pinned('dir/second'));
  assert.deepEqual([mode & 0o7777, uid, gid], [0o640, 12, 34]);
  await local.patch('/v1/pins/dir/second').send({ path: 'dir/third', mode: '0600' }).expect(200);
  await local.put(`/v1/maps/${id}/entries/00000001`).send({ value: '0000000000000002' }).expect(201);
  const entries = await local.get(`/v1/maps/${id}/entries`).set('accept', 'application/x-ndjson').expect(200);
  assert.match(entries.text, /"count":1,"complete":true/);
  const why = await local.get(`/v1/maps/${id}/why`).expect(200);
  assert.equal(why.body.references.unexplained, 0);
  await local.get('/v1/findings?fresh=true').expect(200);
  const node = await local.get('/v1/node').expect(200);
  const features: readonly { readonly available: boolean }[] = node.body.features;
  assert.deepEqual(
    features.filter(({ available }) => !available),
    [],
  );
  await local.get('/v1/pins?fresh=true').expect(200);
  await local
    .put('/v1/claims/me')
    .send({ pins: ['first'] })
    .expect(201);
  await local.post('/v1/backup').expect(201);
  await local.delete('/v1/pins/dir/third').expect(204);
});

test('it feeds the watchdog, and is started again with all it knew when it is killed', async () => {
  const fed = () => systemd.property('pinfold.service', 'WatchdogTimestampMonotonic');
  const first = await fed();
  await until('the watchdog', fed, (now) => now !== first);
  const pid = await agentPid();
  await systemd.systemctl('kill', '--signal=KILL', 'pinfold.service');
  const isNew = async () =>
    (await systemd.property('pinfold.service', 'SubState')) === 'running' && agentPid();
  await until('another agent', isNew, (now) => now !== false && now !== pid && now !== '0', {
    timeoutMs: 60_000,
  });
  await local.get('/v1/claims/me').expect(200);
});

test('an agent that hangs is ended by the watchdog, and another serves', async () => {
  const pid = await agentPid();
  await systemd.systemctl('kill', '--signal=STOP', 'pinfold.service');
  const running = async () =>
    (await systemd.property('pinfold.service', 'SubState')) === 'running' && agentPid();
  await until('another agent', running, (now) => now !== false && now !== pid && now !== '0', {
    timeoutMs: 60_000,
  });
  await local.get('/v1/node').expect(200);
});

test('pinfold-wait@ of an escaped path is active once the pin is there, and not before', async () => {
  const unit = spawnSync('systemd-escape', ['--template=pinfold-wait@.service', `tc/glob-als/\${HOME}`], {
    encoding: 'utf8',
  }).stdout.trim();
  assert.equal(unit, 'pinfold-wait@tc-glob\\x2dals-\\x24\\x7bHOME\\x7d.service');
  const starting = systemd.systemctl('start', unit);
  await until(
    'the wait',
    () => systemd.property(unit, 'MainPID'),
    (pid) => pid !== '0',
  );
  assert.equal(await systemd.property(unit, 'ActiveState'), 'activating');
  mkdirSync(pinned('tc/glob-als'), { recursive: true });
  createMap(pinned(`tc/glob-als/\${HOME}`), { name: 'pf_unit' });
  const started = await starting;
  assert.equal(started.code, 0, `${started.out}\n${said()}`);
  assert.equal(await systemd.property(unit, 'ActiveState'), 'active');
  assert.equal(await systemd.property(unit, 'Result'), 'success');
});

test('with pinfold.socket callers wait while the agent restarts, and are answered', async () => {
  const stopped = await systemd.systemctl('stop', 'pinfold.service');
  assert.equal(stopped.code, 0, stopped.out);
  assert.equal(await systemd.property('pinfold.service', 'Result'), 'success');
  const opened = await systemd.systemctl('start', 'pinfold.socket');
  assert.equal(opened.code, 0, opened.out);
  await local.get('/v1/claims/me').expect(200);
  const restarting = systemd.systemctl('restart', 'pinfold.service');
  await until(
    'the stop',
    () => systemd.property('pinfold.service', 'SubState'),
    (now) => now !== 'running',
  );
  // The hook asks again where it is told that the agent is stopping, and waits where nobody answers yet.
  const env = { PINFOLD_SOCKET: systemd.inside('/run/pinfold/agent.sock'), PINFOLD_TIMEOUT: '60' };
  using hook = start(hookScript, ['start'], { env });
  hook.write('{"id":"c1","annotations":{"pinfold/wait":"first"}}');
  hook.end();
  assert.equal((await hook.exit(70_000)).code, 0, hook.stderr());
  assert.equal((await restarting).code, 0);
});
