import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import test, { after } from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { movedClock } from '../support/moved-clock.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { type BundleOptions, makeBundle } from './oci-fixture.ts';

const clock = movedClock();
const agent = await testAgent({ clock });
after(() => agent[Symbol.asyncDispose]());

const runtimes = ['runc', 'crun'] as const;
const at = (path: string): string => `${agent.bpffs.path}/${path}`;

interface Claim {
  readonly lease: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly pins: unknown;
}

/** What the claims of an owner are; undefined where it has none. */
async function claimOf(owner: string): Promise<Claim | undefined> {
  const answer = await agent.local.get(`/v1/claims/${encodeURIComponent(owner)}`);
  return answer.status === 200 ? answer.body : undefined;
}

function options(annotations: Readonly<Record<string, string>>, others: Partial<BundleOptions> = {}) {
  return { socket: agent.socket, annotations, script: 'echo runs; read line; echo ends', ...others };
}

for (const runtime of runtimes) {
  test(`${runtime} starts a container only when its pin exists, and its claim ends with it`, async () => {
    const path = `${runtime}/flows`;
    const id = `pf-${runtime}-${process.pid}`;
    using bundle = makeBundle(runtime, id, options({ 'pinfold/claim': path }));
    using container = bundle.run();
    await until('the claim of the container', () => claimOf(`oci:${id}`), Boolean, { timeoutMs: 60_000 });
    assert.deepEqual([container.lines, container.ended()], [[], undefined], 'nothing runs in it yet');
    assert.equal((await claimOf(`oci:${id}`))?.lease, '2m', 'it ends by itself, whoever is killed now');
    mkdirSync(at(runtime));
    createMap(at(path), { name: 'pf_oci' });
    await container.line(/^runs$/, 70_000);
    const refused = await agent.local.delete(`/v1/pins/${path}`).expect(409);
    assert.ok(refused.body.hazards.includes('claimed'), refused.text);
    const { lease, labels } = (await claimOf(`oci:${id}`)) ?? {};
    assert.deepEqual([lease, existsSync(`/proc/${labels?.['pid']}`)], [null, true]);
    assert.ok(labels?.['pid_start_ticks'] !== undefined, 'its process is known');
    container.end();
    assert.deepEqual(await container.exit(60_000), { code: 0, signal: null }, container.stderr());
    assert.equal(await claimOf(`oci:${id}`), undefined);
  });

  test(`${runtime} starts no container whose pin does not come, and says which`, async () => {
    const id = `pf-${runtime}-late-${process.pid}`;
    using bundle = makeBundle(
      runtime,
      id,
      options({ 'pinfold/wait': 'never/there', 'pinfold/claim': 'never/else', 'pinfold/timeout': '1s' }),
    );
    using container = bundle.run();
    assert.notEqual((await container.exit(60_000)).code, 0);
    if (runtime === 'runc') assert.match(container.stderr(), /No pin came to never\/else within 1 s/);
    assert.deepEqual(container.lines, []);
    assert.equal(await claimOf(`oci:${id}`), undefined);
  });

  test(`${runtime} starts no container where no agent answers, and lets one end`, async () => {
    using dir = tempDir('nobody');
    const id = `pf-${runtime}-alone-${process.pid}`;
    const alone = options({ 'pinfold/wait': 'any' }, { socket: `${dir.path}/none.sock`, seconds: 1 });
    using bundle = makeBundle(runtime, id, alone);
    using container = bundle.run();
    assert.notEqual((await container.exit(60_000)).code, 0);
    if (runtime === 'runc') assert.match(container.stderr(), /the agent does not answer at/);
    assert.deepEqual(container.lines, []);
  });
}

test('a container whose runtime is killed with it has no claim a minute later', async () => {
  const id = `pf-killed-${process.pid}`;
  createMap(at('killed'), { name: 'pf_oci' });
  using bundle = makeBundle('crun', id, options({ 'pinfold/claim': 'killed' }));
  using container = bundle.run();
  await container.line(/^runs$/, 70_000);
  const { labels } = (await claimOf(`oci:${id}`)) ?? {};
  const pid = Number(labels?.['pid']);
  container.kill();
  await container.exit();
  // It may have ended with its standard input already.
  spawnSync('kill', ['-KILL', String(pid)]);
  await until('its end', async () => {
    await agent.agent.reads.refresh();
    clock.sleep(limits.hookGraceMs);
    return (await claimOf(`oci:${id}`)) === undefined;
  });
});

test('a second container of one id, of another root, is refused and takes nothing away', async () => {
  const id = `pf-twin-${process.pid}`;
  createMap(at('twin'), { name: 'pf_oci' });
  const wanted = options({ 'pinfold/claim': 'twin' });
  using bundle = makeBundle('crun', id, wanted);
  using first = bundle.run();
  await first.line(/^runs$/, 70_000);
  const before = await claimOf(`oci:${id}`);
  {
    using other = makeBundle('crun', id, wanted);
    using second = other.run();
    assert.notEqual((await second.exit(60_000)).code, 0);
    assert.deepEqual(second.lines, []);
  }
  assert.deepEqual((await claimOf(`oci:${id}`))?.labels, before?.labels);
  assert.equal((await claimOf(`oci:${id}`))?.lease, null);
  first.end();
  assert.deepEqual(await first.exit(60_000), { code: 0, signal: null }, first.stderr());
  assert.equal(await claimOf(`oci:${id}`), undefined);
});
