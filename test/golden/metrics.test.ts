import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { testPki } from '../support/pki.ts';
import { repoPath } from '../support/repo-root.ts';
import { until } from '../support/until.ts';

/** `name{labels} type` of every family, in order: what boards and rules are written against. */
function namesOf(text: string): string {
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => {
    const sample = new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} `, 'm').exec(text)?.[1] ?? '';
    const labels = [...sample.matchAll(/(\w+)="/g)]
      .map(([, label]) => label)
      .filter((label) => label !== 'le');
    return `${name}{${labels.sort().join(',')}} ${type}`;
  });
  return `${types.sort().join('\n')}\n`;
}

test('names, labels and types are those of the golden file; promtool finds nothing wrong', async () => {
  // Other tests have pins, too, and series are bounded.
  const own = `golden${process.pid}`;
  const file = { metrics: { pins: [{ prefix: own }] } };
  using pki = await testPki();
  const pair = pki.settings(await pki.issue('a', { isNode: true }));
  const settings = { 'program-stats': true, 'webhook-allow': ['127.0.0.0/8'], ...pair };
  await using at = await testAgent({ file, settings });
  await at.local.put('/v1/webhooks/ops').send({ url: 'http://127.0.0.1:9090/' }).expect(201);
  await at.local.post('/v1/webhooks/ops/pause').send({}).expect(200);
  mkdirSync(`${at.bpffs.path}/${own}`);
  createMap(`${at.bpffs.path}/${own}/m`, { name: 'pf_metrics' });
  using holder = await hold('prog:xdp:pf_metrics', `pin:0:${at.bpffs.path}/${own}/program`);
  assert.equal(holder.objects.length, 1);
  await at.local
    .put(`/v1/pins/${own}/x`)
    .send({ source: { pin: `${own}/m` } })
    .expect(201);
  await at.local.get(`/v1/node?${'x'.repeat(15_000)}`).expect(414);
  await at.local.get('/v1/findings?fresh=true').expect(200);
  const scrape = async () =>
    await at.local
      .get('/metrics')
      .expect(200)
      .expect('content-type', /^text\/plain; version=0\.0\.4/);
  const { text } = await until(
    'samples of the program, which begin with the first scrape',
    scrape,
    (answer) => answer.text.includes('pinfold_pin_program_runs_total{'),
    { everyMs: 200 },
  );
  const golden = repoPath('test/golden/metrics.txt');
  if (process.env['PINFOLD_UPDATE_GOLDEN'] === '1') writeFileSync(golden, namesOf(text));
  assert.equal(namesOf(text), readFileSync(golden, 'utf8'));
  const judged = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.deepEqual([judged.status, judged.stderr], [0, '']);
});

test('what metrics say is what bpftool and the requests say, and no label names a pin', async () => {
  await using at = await testAgent();
  for (const name of ['one', 'two']) createMap(`${at.bpffs.path}/${name}`, { name: 'pf_metrics' });
  await at.local.get('/v1/pins?fresh=true').expect(200);
  await at.local.get('/v1/pins/one').expect(200);
  await at.local.delete('/v1/pins/one').expect(409);
  await at.local.delete('/v1/pins/one?force=true').expect(204);
  const { text } = await at.local.get('/metrics');
  const value = (line: string): string | undefined =>
    text
      .split('\n')
      .find((each) => each.startsWith(`${line} `))
      ?.split(' ')[1];
  assert.equal(value(`pinfold_pins{mount="${at.bpffs.path}",kind="map"}`), '1');
  assert.equal(value('pinfold_operations_total{kind="unpin",outcome="applied",code="ok"}'), '1');
  assert.equal(value('pinfold_operations_total{kind="unpin",outcome="not_applied",code="hazard"}'), '1');
  assert.equal(
    value('pinfold_http_requests_total{method="DELETE",route="/v1/pins/{path}",status="409"}'),
    '1',
  );
  assert.equal(
    value('pinfold_http_request_duration_seconds_count{method="DELETE",route="/v1/pins/{path}"}'),
    '2',
  );
  assert.equal(/\b(one|two)\b/.test(text), false);
});

test('OpenMetrics is given where it is asked for, and ends as it must', async () => {
  await using at = await testAgent();
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5';
  const first = await at.local.get('/metrics').set('accept', accept).buffer(true).expect(200);
  assert.match(String(first.headers['content-type']), /^application\/openmetrics-text; version=1\.0\.0/);
  assert.ok(first.text.endsWith('\n# EOF\n'));
  assert.match(first.text, /^# TYPE pinfold_http_requests counter$/m);
  const second = await at.local.get('/metrics');
  assert.match(second.text, /^# TYPE pinfold_http_requests_total counter$/m);
});

test('metrics need a viewer, unless they were opened', async () => {
  await using closed = await testAgent();
  await closed.remote(null).get('/metrics').expect(401);
  await using open = await testAgent({ settings: { 'open-metrics': true } });
  await open.remote(null).get('/metrics').expect(200);
});
