import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import supertest from 'supertest';
import { startAgent } from '../../src/main.ts';
import { mergeConfig } from '../../src/model/config.ts';
import { createLog } from '../../src/model/log.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { nameChanger } from '../support/name-changes.ts';
import { tempDir } from '../support/temp-dir.ts';
import { turn } from '../support/turn.ts';

test('until the first observation is over the agent is alive but not ready, and lists nothing', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('ready');
  using changer = await nameChanger(bpffs.path, 'pf_ready');
  await changer.tell('make 8000 a');
  const flags = { bpffs: bpffs.path, 'state-dir': join(dir.path, 'state'), 'run-dir': join(dir.path, 'run') };
  const config = mergeConfig({ flags, env: {}, file: undefined, hostName: 'host' });
  const log = createLog({ level: 'error', write: () => undefined, now: () => new Date() });
  let hasStarted = false;
  const started = startAgent(config, { log }).finally(() => {
    hasStarted = true;
  });
  const local = supertest.agent(`http+unix://${encodeURIComponent(join(dir.path, 'run/agent.sock'))}`);
  try {
    let before = 0;
    while (!hasStarted) {
      await turn();
      const ready = await local.get('/readyz').catch(() => undefined);
      if (ready?.status !== 503) continue;
      before++;
      assertDeclared('GET', '/readyz', ready);
      assert.deepEqual([ready.body.code, ready.headers['retry-after']], ['not_ready', '1']);
      await local.get('/healthz').expect(200, { status: 'ok' });
      const list = await local.get('/v1/pins');
      if (list.status !== 200) assert.deepEqual([list.status, list.body.code], [503, 'not_ready']);
    }
    assert.ok(before > 0, 'it was asked before it was ready');
    await local.get('/readyz').expect(200, { status: 'ok' });
    const pins = await local.get('/v1/pins?limit=1').expect(200);
    assert.equal(pins.body.total, 8000);
  } finally {
    await (await started).stop();
  }
});
