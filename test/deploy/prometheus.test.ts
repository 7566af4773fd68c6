import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { parse } from 'yaml';
import { escapeName } from '../../src/model/escape.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** Where pins have series of their own: other tests have pins, too, and series are bounded. */
const own = `scraped${process.pid}`;

const patience = { timeoutMs: 60_000, everyMs: 200 };

/** Names that break quoting, lines and encodings. */
const hostile = ['a"b', 'a\nb', 'a\\nb', 'a{b="c"} 1', 'a\rb', '# EOF', '\u202ea', 'caf\u00e9 1e9'].map(
  (name) => Buffer.from(name),
);
hostile.push(Buffer.from([0x61, 0xff]), Buffer.from('b'.repeat(255)));

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
}

let at: TestAgent;
let prometheus: Prometheus;
const started: (Disposable | AsyncDisposable)[] = [];

before(async () => {
  const file = { metrics: { pins: [{ prefix: own }] } };
  const settings = { 'program-stats': true, 'open-metrics': true, 'webhook-allow': ['127.0.0.0/8'] };
  at = await testAgent({ file, settings });
  started.push(at);
  started.push(await hold('prog:raw_tracepoint:pf_traced', 'link:raw_tp:0:task_rename'));
  await populate();
  const shipped = parse(readFileSync(repoPath('deploy/prometheus/prometheus.yml'), 'utf8'));
  const [job] = shipped.scrape_configs;
  prometheus = await startPrometheus({
    global: { scrape_interval: '2s', evaluation_interval: '1s' },
    rule_files: [repoPath('deploy/prometheus/alerts.yml')],
    scrape_configs: [{ ...job, static_configs: [{ targets: [new URL(at.url).host] }] }],
  });
  started.push(prometheus);
});
after(async () => {
  for (const each of started.reverse())
    if (Symbol.dispose in each) each[Symbol.dispose]();
    else await each[Symbol.asyncDispose]();
});

/** Something of everything that panels show: pins, runs of a program, refusals, findings. */
async function populate(): Promise<void> {
  const path = `${at.bpffs.path}/${own}`;
  using dir = tempDir('packet');
  mkdirSync(`${path}/names`, { recursive: true });
  createMap(`${path}/m`, { name: 'pf_scraped' });
  for (const name of hostile) linkSync(`${path}/m`, Buffer.concat([Buffer.from(`${path}/names/`), name]));
  using holder = await hold('prog:xdp:pf_scraped', `pin:0:${path}/program`);
  await holder.release();
  writeFileSync(join(dir.path, 'packet'), Buffer.alloc(64));
  const run = ['prog', 'run', 'pinned', `${path}/program`, 'data_in', join(dir.path, 'packet')];
  execFileSync('bpftool', [...run, 'repeat', '10'], { stdio: 'ignore' });
  await at.local.put('/v1/webhooks/ops').send({ url: 'http://127.0.0.1:9090/' }).expect(201);
  await at.local
    .put(`/v1/pins/${own}/x`)
    .send({ source: { pin: `${own}/m` } })
    .expect(201);
  await at.local.delete(`/v1/pins/${own}/program`).expect(409);
  await at.local.get(`/v1/node?${'x'.repeat(15_000)}`).expect(414);
  await at.local.get('/v1/findings?fresh=true').expect(200);
}

test('Prometheus itself scrapes the agent as the shipped configuration says', async () => {
  const scraped = async () => (await prometheus.api('targets'))['activeTargets'] ?? [];
  const [target] = await until(
    'a scrape',
    scraped,
    ([first]) => memberOf(first, 'health') === 'up',
    patience,
  );
  assert.deepEqual([memberOf(target, 'lastError'), memberOf(target, 'scrapePool')], ['', 'pinfold']);
  // Only OpenMetrics calls the family of a counter so.
  const { pinfold_http_requests: told = [] } = await prometheus.api('metadata?metric=pinfold_http_requests');
  assert.equal(memberOf(told[0], 'type'), 'counter');
});

test('every panel of the boards shows something of a live agent', async () => {
  const panels = ['node', 'fleet'].flatMap((board): readonly Panel[] => {
    return JSON.parse(readFileSync(repoPath(`deploy/grafana/boards/${board}.json`), 'utf8')).panels;
  });
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      // What Grafana puts in for "All".
      const expression = expr.replaceAll('$instance', '.*');
      // What others mount for a moment keeps holders from being read as a whole; who asks has them read anew.
      const shown = async () => {
        const samples = await prometheus.query(expression);
        if (samples.length === 0) await at.local.get('/v1/findings?fresh=true').expect(200);
        return samples;
      };
      const everyMs = 250;
      await until(`${title}: ${expression}`, shown, ({ length }) => length > 0, { ...patience, everyMs });
    }
  }
});

test('every alert is evaluated, and none begins on a healthy agent', async () => {
  const rules = async (): Promise<readonly Rule[]> => {
    const { groups = [] } = await prometheus.api('rules');
    return groups.flatMap((group): readonly Rule[] => memberOf(group, 'rules'));
  };
  const isEvaluated = (all: readonly Rule[]): boolean => all.every(({ health }) => health !== 'unknown');
  const evaluated = await until('rules to be evaluated', rules, isEvaluated, patience);
  assert.ok(evaluated.length >= 9);
  for (const { name, health, lastError } of evaluated) assert.equal(health, 'ok', `${name}: ${lastError}`);
  const wrong = 'ALERTS{alertname=~"Pinfold(AgentDown|ObservationStale|PinMissing|Webhook.*)"}';
  await until(
    'none to begin',
    () => prometheus.query(wrong),
    (samples) => samples.length === 0,
    patience,
  );
});

function memberOf(of: unknown, name: string) {
  return Reflect.get(Object(of), name);
}

test('names of any bytes arrive in Prometheus as what they are shown as everywhere', async () => {
  const samples = await until(
    'the pins',
    () => prometheus.query(`pinfold_pin_info{path=~"${own}/names/.*"}`),
    (found) => found.length === hostile.length,
    patience,
  );
  assert.deepEqual(
    samples.map(({ metric }) => metric['path']).sort(),
    hostile.map((name) => `${own}/names/${escapeName(name)}`).sort(),
  );
});
