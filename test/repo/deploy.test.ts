import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { parse } from 'yaml';
import { ruleIds } from '../../src/model/schema/finding.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';

const alertsFile = repoPath('deploy/prometheus/alerts.yml');
const boardFiles = ['node', 'fleet'].map((name) => repoPath(`deploy/grafana/boards/${name}.json`));

interface Board {
  readonly uid: string;
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

interface Alerts {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

const boards: readonly Board[] = boardFiles.map((file) => JSON.parse(readFileSync(file, 'utf8')));
const alerts: Alerts = parse(readFileSync(alertsFile, 'utf8'));
const rules = alerts.groups.flatMap((group) => group.rules);

/** Every expression of boards and alerts, with what Grafana puts in for its variables. */
const expressions = [
  ...boards.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))),
  ...rules.map(({ expr }) => expr),
].map((expr) => expr.replaceAll('$instance', '.*'));

/** Names and types of all metrics there are, with the labels each has. */
const metrics = readFileSync(repoPath('test/golden/metrics.txt'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => {
    const [, name = '', labels = '', type = ''] = /^(\w+)\{(.*)\} (\w+)$/.exec(line) ?? [];
    return { name, labels: labels === '' ? [] : labels.split(','), type };
  });

function promtool(...args: readonly string[]): string {
  const run = spawnSync('promtool', args, { encoding: 'utf8' });
  assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
  return run.stdout;
}

test('promtool can read every alert and every expression of the boards', () => {
  promtool('check', 'rules', alertsFile);
  using dir = tempDir('rules');
  const file = join(dir.path, 'boards.yml');
  const recorded = expressions.map((expr, index) => ({ record: `pinfold:board:${index}`, expr }));
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'boards', rules: recorded }] }));
  assert.match(promtool('check', 'rules', file), new RegExp(`SUCCESS: ${expressions.length} rules found`));
});

test('each alert fires where it must, and only there', () => {
  const text = readFileSync(repoPath('test/repo/alerts.test.yml'), 'utf8');
  using dir = tempDir('alerts');
  const file = join(dir.path, 'alerts.test.yml');
  writeFileSync(file, text.replace('ALERTS', alertsFile));
  promtool('test', 'rules', file);
  const cases: { tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[] } = parse(text);
  const tried = cases.tests.flatMap((each) => each.alert_rule_test);
  for (const { alert } of rules) {
    const counts = tried.filter(({ alertname }) => alertname === alert).map((each) => each.exp_alerts.length);
    assert.ok(counts.includes(0) && counts.some((count) => count > 0), `${alert} is tried both ways`);
  }
});

test('boards and alerts ask only for metrics, labels and rules that there are', () => {
  const suffixed = (name: string): readonly string[] => [
    name,
    `${name}_bucket`,
    `${name}_sum`,
    `${name}_count`,
  ];
  const known = new Map(
    metrics.flatMap(({ name, labels, type }) => {
      const names = type === 'histogram' || type === 'summary' ? suffixed(name) : [name];
      return names.map((each) => [each, new Set([...labels, 'job', 'instance', 'le'])] as const);
    }),
  );
  for (const expr of expressions) {
    const selectors = [...expr.matchAll(/\b((?:pinfold|process)_\w+)(?:\{([^}]*)\})?/g)];
    for (const [, name = '', matchers = ''] of selectors) {
      const labels = known.get(name);
      assert.ok(labels !== undefined, `${name} in ${expr}`);
      for (const [, label = ''] of matchers.matchAll(/(\w+)(?:=~|!=|!~|=)"/g))
        assert.ok(labels.has(label), `${label} of ${name}`);
    }
    for (const [, rule = ''] of expr.matchAll(/rule="(\w+)"/g))
      assert.ok(
        ruleIds.some((id) => id === rule),
        rule,
      );
  }
});

test('no panel lies over another, and none is there twice', () => {
  for (const { uid, panels } of boards) {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, uid);
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      const { x, y, w, h } = gridPos;
      assert.ok(x + w <= 24, title);
      for (let row = y; row < y + h; row++) {
        for (let column = x; column < x + w; column++) {
          const place = `${row}/${column}`;
          assert.equal(taken.has(place), false, `${uid}: ${title}`);
          taken.add(place);
        }
      }
    }
  }
});

test('compose files mount every file that Prometheus is told to read', () => {
  const files = [
    { compose: 'docker-compose.yml', config: 'fleet.yml' },
    { compose: 'deploy/compose/node.yml', config: 'prometheus.yml' },
  ];
  for (const { compose, config } of files) {
    const file = repoPath('deploy/prometheus', config);
    const { rule_files }: { rule_files: readonly string[] } = parse(readFileSync(file, 'utf8'));
    const { services } = parse(readFileSync(repoPath(compose), 'utf8'), { merge: true });
    const volumes: readonly string[] = services.prometheus.volumes;
    const mounted = (path: string): string => {
      const [from = ''] = volumes.find((volume) => volume.split(':')[1] === path)?.split(':') ?? [];
      return join(dirname(repoPath(compose)), from);
    };
    assert.equal(mounted('/etc/prometheus/prometheus.yml'), file);
    for (const path of rule_files) promtool('check', 'rules', mounted(path));
  }
});

test('the compose file is three members of etcd, two managers and three nodes', () => {
  const text = readFileSync(repoPath('docker-compose.yml'), 'utf8');
  const { services }: { services: Record<string, { readonly environment?: Record<string, string> }> } = parse(
    text,
    {
      merge: true,
    },
  );
  const names = Object.keys(services);
  const count = (word: string): number => names.filter((name) => name.startsWith(`${word}-`)).length;
  assert.deepEqual([count('etcd'), count('manager'), count('agent')], [3, 2, 3]);
  for (const name of names.filter((each) => /^(manager|agent)-/.test(each))) {
    const { environment = {} } = services[name] ?? {};
    assert.equal(environment['PINFOLD_NODE'], name);
    assert.equal(environment['PINFOLD_ALLOW_HOST'], name);
    for (const url of environment['PINFOLD_ETCD']?.split(',') ?? ['none'])
      assert.ok(Object.hasOwn(services, new URL(url).hostname), url);
  }
});

test('the documentation of metrics lists each with its type, and none that there is not', () => {
  const text = readFileSync(repoPath('docs/metrics.md'), 'utf8');
  const told = [...text.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`);
  assert.deepEqual(told.sort(), metrics.map(({ name, type }) => `${name} ${type}`).sort());
});
