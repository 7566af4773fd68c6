import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import test, { after } from 'node:test';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { type BundleOptions, makeBundle } from './oci-fixture.ts';

const agent = await testAgent();
after(() => agent[Symbol.asyncDispose]());

const runtimes = ['runc', 'crun'] as const;
const at = (path: string): string => `${agent.bpffs.path}/${path}`;

/** What the claims of an owner are; undefined where it has none. */
async function claimOf(
  owner: string,
): Promise<{ readonly labels: unknown; readonly pins: unknown } | undefined> {
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
    mkdirSync(at(runtime));
    createMap(at(path), { name: 'pf_oci' });
    await container.line(/^runs$/, 70_000);
    const refused = await agent.local.delete(`/v1/pins/${path}`).expect(409);
    assert.ok(refused.body.hazards.includes('claimed'), refused.text);
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
