import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { METHODS, request } from 'node:http';
import test from 'node:test';
import { Calls } from '../../src/kernel/sys/calls.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { mountLabel } from '../../src/metrics/mount-label.ts';
import { limits } from '../../src/model/limits.ts';
import { parsePath } from '../../src/model/path.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap, updateEntry } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** No webhooks. */
const certificates = () => [];
const webhooks = { source: { numbers: () => [] }, now: () => new Date() };

/** The samples of a scrape, by name with labels as they are written. */
async function scrape(at: TestAgent): Promise<ReadonlyMap<string, number>> {
  const { text } = await at.local.get('/metrics').expect(200);
  const judged = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.deepEqual([judged.status, judged.stderr], [0, '']);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

/** Tells of every system call of this process that goes through src/kernel, until it is disposed. */
function watchCalls(onCall: (name: string) => void): Disposable {
  const originals = Object.getOwnPropertyDescriptors(Calls.prototype);
  for (const [name, descriptor] of Object.entries(originals)) {
    const original: unknown = descriptor.value;
    if (typeof original !== 'function' || name === 'constructor') continue;
    const value = function (this: Calls, ...given: unknown[]): unknown {
      onCall(name);
      return original.apply(this, given);
    };
    Object.defineProperty(Calls.prototype, name, { ...descriptor, value });
  }
  return { [Symbol.dispose]: () => Object.defineProperties(Calls.prototype, originals) };
}

/** Labels that place a pin, as they are written. */
const placed = (at: TestAgent, path: string): string => `mount="${at.bpffs.path}",path="${path}"`;

test('a selected map has its references by holder and its entries; others have nothing', async () => {
  await using at = await testAgent({ file: { metrics: { pins: [{ prefix: 'team' }] } } });
  const { path } = at.bpffs;
  mkdirSync(`${path}/team`);
  mkdirSync(`${path}/teams`);
  const { id } = createMap(`${path}/team/flows`, { name: 'pf_flows', entries: 10 });
  linkSync(`${path}/team/flows`, `${path}/team/same`);
  createMap(`${path}/teams/other`, { name: 'pf_other' });
  for (const key of [1, 2, 3])
    updateEntry(`${path}/team/flows`, Buffer.from([key, 0, 0, 0]), Buffer.alloc(8));
  using holder = await hold(`id:map:${id}`, 'dup:0', `id:map:${id}`, 'prog:xdp:pf_uses:0');
  assert.equal(holder.objects.length, 4);
  await at.local.get('/v1/findings?fresh=true').expect(200);
  const flows = placed(at, 'team/flows');
  const referencesIn = (samples: ReadonlyMap<string, number>) =>
    ['pin', 'file', 'program', 'other'].map((by) =>
      samples.get(`pinfold_pin_references{${flows},holder="${by}"}`),
    );
  // Somebody else on the machine may have the map open for a moment, so that this is waited for, too.
  const samples = await until(
    'entries, which are counted once somebody scrapes, and references of this test alone',
    () => scrape(at),
    (seen) =>
      seen.has(`pinfold_pin_map_entries{${flows}}`) && String(referencesIn(seen)) === String([1, 2, 1, 0]),
    { everyMs: 200, timeoutMs: 30_000 },
  );
  const of = (name: string, more = ''): number | undefined => samples.get(`${name}{${flows}${more}}`);
  assert.equal(of('pinfold_pin_map_entries'), 3);
  assert.equal(of('pinfold_pin_map_max_entries'), 10);
  assert.equal(of('pinfold_pin_info', ',kind="map",type="hash",name="pf_flows",owner=""'), 1);
  assert.equal(samples.get('pinfold_pins_selected'), 2);
  assert.equal([...samples.keys()].filter((name) => name.includes('teams/')).length, 0);
});

test('a selected program counts its runs and their seconds as the kernel measured them', async () => {
  const settings = { 'program-stats': true };
  await using at = await testAgent({ settings, file: { metrics: { pins: [{ prefix: 'prog' }] } } });
  using dir = tempDir('packet');
  const pin = `${at.bpffs.path}/prog`;
  using holder = await hold('prog:xdp:pf_runs', `pin:0:${pin}`);
  await holder.release();
  writeFileSync(`${dir.path}/packet`, Buffer.alloc(64));
  const args = ['data_in', `${dir.path}/packet`, 'repeat', '1000'];
  execFileSync('bpftool', ['prog', 'run', 'pinned', pin, ...args], { stdio: 'ignore' });
  await at.local.get('/v1/pins?fresh=true').expect(200);
  const samples = await until(
    'the runs of the program',
    () => scrape(at),
    (seen) => seen.has(`pinfold_pin_program_runs_total{${placed(at, 'prog')}}`),
    { everyMs: 200 },
  );
  const [shown] = JSON.parse(
    `[${execFileSync('bpftool', ['-j', 'prog', 'show', 'pinned', pin], { encoding: 'utf8' })}]`,
  );
  const of = (name: string) => samples.get(`${name}{${placed(at, 'prog')}}`);
  assert.equal(of('pinfold_pin_program_runs_total'), 1000);
  assert.equal(shown.run_cnt, 1000);
  assert.equal(of('pinfold_pin_program_run_seconds_total'), shown.run_time_ns / 1e9);
  assert.equal(of('pinfold_pin_program_recursion_misses_total'), 0);
});

test('names of any bytes make one well-formed label each, and differ', async () => {
  const own = `names${process.pid}`;
  await using at = await testAgent({ file: { metrics: { pins: [{ prefix: own }] } } });
  const directory = `${at.bpffs.path}/${own}`;
  mkdirSync(directory);
  const names = ['a"b', 'a\nb', 'a\\nb', 'a{b}', 'a\rb', 'a=1,b', '\u202eb'].map((name) => Buffer.from(name));
  names.push(Buffer.from([0x61, 0xff]), Buffer.from([0x61, 0xfe]));
  for (const [index, name] of names.entries()) {
    createMap(`${directory}/m${index}`, { name: 'pf_names' });
    linkSync(`${directory}/m${index}`, Buffer.concat([Buffer.from(`${directory}/`), name]));
  }
  await at.local.get('/v1/pins?fresh=true').expect(200);
  const samples = await scrape(at);
  const infos = [...samples.keys()].filter((key) => key.startsWith('pinfold_pin_info{'));
  assert.equal(infos.length, 2 * names.length);
  for (const info of infos) assert.match(info, /^pinfold_pin_info\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+\}$/);
  const { text } = await at.local
    .get('/metrics')
    .set('accept', 'application/openmetrics-text;version=1.0.0')
    .buffer(true);
  assert.ok(text.endsWith('\n# EOF\n'));
});

test('pins that do not fit have no series at all, and what was left out is counted', async () => {
  const seriesOfOne = 6;
  const own = `fit${process.pid}`;
  const metrics = { pins: [{ prefix: own }], pin_series_max: 2 * seriesOfOne };
  await using at = await testAgent({ file: { metrics } });
  mkdirSync(`${at.bpffs.path}/${own}`);
  for (const name of ['a', 'b', 'c', 'd'])
    createMap(`${at.bpffs.path}/${own}/${name}`, { name: 'pf_fit', type: 'array' });
  await at.local.get('/v1/findings?fresh=true').expect(200);
  const first = await scrape(at);
  const shown = [...first.keys()].filter((key) => key.startsWith('pinfold_pin_') && key.includes('path='));
  assert.deepEqual([...new Set(shown.map((key) => /path="\w+\/(\w)"/.exec(key)?.[1]))], ['a', 'b']);
  assert.equal(shown.length, 2 * seriesOfOne);
  assert.equal(first.get('pinfold_pins_selected'), 4);
  assert.equal(first.get('pinfold_pin_series_dropped_total'), 2 * seriesOfOne);
  assert.equal((await scrape(at)).get('pinfold_pin_series_dropped_total'), 4 * seriesOfOne);
});

test('however many pins are selected, a scrape has at most 2,000 series and counts the others', async () => {
  const [seriesOfOne, names] = [6, 400];
  const own = `many${process.pid}`;
  await using at = await testAgent({ file: { metrics: { pins: [{ prefix: own }] } } });
  const directory = `${at.bpffs.path}/${own}`;
  mkdirSync(directory);
  createMap(`${directory}/m0`, { name: 'pf_many', type: 'array' });
  for (let name = 1; name < names; name++) linkSync(`${directory}/m0`, `${directory}/m${name}`);
  await at.local.get('/v1/findings?fresh=true').expect(200);
  const samples = await scrape(at);
  assert.equal(samples.get('pinfold_pins_selected'), names);
  const shown = [...samples.keys()].filter((key) => key.startsWith('pinfold_pin_') && key.includes('path='));
  const fit = Math.floor(limits.pinSeriesDefault / seriesOfOne);
  assert.equal(shown.length, fit * seriesOfOne);
  assert.equal(samples.get('pinfold_pin_series_dropped_total'), (names - fit) * seriesOfOne);
  assert.ok(names * seriesOfOne > 2000 && samples.size <= 2000, `${samples.size} series`);
});

test('a pin of another namespace at the same path does not write over the series of the first', async (t) => {
  const common = { path: parsePath('acl'), kind: 'map' as const, type: 'hash', owner: '', references: [] };
  const samples = [
    { ...common, mount: '0:40', name: 'first', entries: 9, maxEntries: 10 },
    { ...common, mount: '0:41', name: 'second', entries: 0, maxEntries: 99 },
  ];
  await using at = await testAgent();
  const { statistics } = at.agent;
  t.mock.method(statistics, 'selectedPins', () => ({ samples, selected: 2, seriesDropped: 0 }));
  const given = { pathOf: () => '/sys/fs/bpf', version: '0', pinSeriesMax: 100 };
  using metrics = createMetrics({ numbers: statistics, webhooks, certificates, ...given });
  const text = await metrics.render('prometheus');
  const place = '{mount="/sys/fs/bpf",path="acl"';
  assert.ok(text.includes(`pinfold_pin_map_max_entries${place}} 10\n`));
  assert.ok(text.includes(`pinfold_pin_map_entries${place}} 9\n`));
  assert.equal(text.split('pinfold_pin_info{').length, 2);
  assert.ok(text.includes('pinfold_pin_series_dropped_total 3\n'));
});

test('however many routes and mounts there are, series are bounded and sums are right', async (t) => {
  await using at = await testAgent();
  const { statistics } = at.agent;
  const counts = Array.from({ length: 300 }, (_, mount) =>
    ['map', 'program', 'link'].map((kind) => ({ mount: `0:${mount}`, kind, count: 2 })),
  ).flat();
  t.mock.method(statistics, 'pinCounts', () => counts);
  const pathOf = (mount: string): string =>
    `/sys/fs/bpf${mount === '0:299' ? '' : ` (mount namespace ${mount})`}`;
  const given = { webhooks, certificates, pathOf, version: '0', pinSeriesMax: 100 };
  using metrics = createMetrics({ numbers: statistics, ...given });
  for (let route = 0; route < 200; route++) {
    const told = metrics.http.route(`/v1/r${route}`);
    for (const method of ['GET', 'PUT', 'DELETE', 'PURGE']) {
      for (const status of [200, 404, 500]) told.answered(method, status, 0.01);
    }
  }
  const text = await metrics.render('prometheus');
  const samples = text.split('\n').filter((line) => /^pinfold_(http|pins\{)/.test(line));
  const sumOf = (name: string): number =>
    samples
      .filter((line) => line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  assert.equal(sumOf('pinfold_http_requests_total'), 200 * 4 * 3);
  assert.equal(sumOf('pinfold_http_request_duration_seconds_count'), 200 * 4 * 3);
  assert.equal(sumOf('pinfold_pins'), 300 * 3 * 2);
  const ofHttp = samples.filter(
    (line) => line.startsWith('pinfold_http_') && !line.includes('="other",route="other"'),
  );
  assert.ok(ofHttp.length <= 301, `${ofHttp.length} series of requests`);
  assert.ok(ofHttp.length > 290, 'no more is left out than needs be');
  assert.equal(samples.filter((line) => line.startsWith('pinfold_pins{')).length, (32 + 1) * 3);
  assert.ok(samples.includes('pinfold_pins{mount="/sys/fs/bpf",kind="map"} 2'), 'our own come first');
  assert.ok(text.includes('\npinfold_mount_series_dropped_total 268\n'));
  const judged = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.deepEqual([judged.status, judged.stderr], [0, '']);
});

test('a scrape asks the kernel nothing', async () => {
  const own = `asks${process.pid}`;
  await using at = await testAgent({ file: { metrics: { pins: [{ prefix: own }] } } });
  mkdirSync(`${at.bpffs.path}/${own}`);
  createMap(`${at.bpffs.path}/${own}/map`, { name: 'pf_asks' });
  await at.local.get('/v1/findings?fresh=true').expect(200);
  const calls: string[] = [];
  using _ = watchCalls((name) => calls.push(name));
  const options = { pathOf: (mount: string) => mount, version: '0.0.0', pinSeriesMax: 1000 };
  using metrics = createMetrics({ numbers: at.agent.statistics, webhooks, certificates, ...options });
  // Nothing but promises is waited for here: no timer of the agent can come in between.
  const text = await metrics.render('prometheus');
  assert.deepEqual(calls, []);
  assert.match(text, /^pinfold_pin_info\{/m);
  await at.agent.reads.refresh();
  assert.ok(calls.length > 0, 'calls would have been seen');
});

test('a request that nobody waits for any longer is over: it is counted, and in flight no more', async () => {
  await using at = await testAgent();
  const before = await scrape(at);
  assert.equal(before.get('pinfold_http_requests_in_flight'), 1, 'the scrape itself');
  const hungUp = new AbortController();
  const path = '/v1/pins/never?for=exists&wait=60s';
  const waiting = request({ socketPath: at.socket, path, signal: hungUp.signal });
  const ended = once(waiting, 'error');
  waiting.end();
  const inFlight = async () => (await scrape(at)).get('pinfold_http_requests_in_flight');
  await until('the wait to have begun', inFlight, (count) => count === 2);
  hungUp.abort();
  await ended;
  await until('it to be over', inFlight, (count) => count === 1);
  const counted = 'pinfold_http_requests_total{method="GET",route="/v1/pins/{path}",status="499"}';
  assert.equal((await scrape(at)).get(counted), 1);
});

test('methods that no route knows share one series, whatever there are', async () => {
  await using at = await testAgent();
  const sent = METHODS.filter(
    (method) => !['CONNECT', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE'].includes(method),
  );
  for (const method of sent) {
    const asked = request({ socketPath: at.socket, path: '/nothing-here', method });
    asked.end();
    const [answer] = await once(asked, 'response');
    answer.resume();
    await once(answer, 'end');
  }
  const told = async () => [...(await scrape(at)).keys()].filter((key) => key.includes('route="unmatched"'));
  const methods = (keys: readonly string[]) =>
    [...new Set(keys.map((key) => /method="([^"]*)"/.exec(key)?.[1]))].sort();
  const all = await until('them to be counted', told, (keys) => methods(keys).includes('other'));
  assert.deepEqual(
    methods(all).filter((method) => method !== 'PATCH' && method !== 'OPTIONS'),
    ['other'],
  );
});

test('findings, memory and unexplained references are told by what they are of', async () => {
  await using at = await testAgent({ file: { findings: { min_age: '0s', per_rule: 100_000 } } });
  createMap(`${at.bpffs.path}/orphan`, { name: 'pf_orphan' });
  await at.local.get('/v1/findings?fresh=true').expect(200);
  const orphans = async () => {
    const { total } = (await at.local.get('/v1/findings?rule=orphan_pin').expect(200)).body;
    assert.ok(total >= 1);
    const samples = await scrape(at);
    return { total, shown: samples.get('pinfold_findings{rule="orphan_pin",severity="warning"}'), samples };
  };
  // Rules are tried again now and then, and other tests have orphans, too.
  const { samples } = await until('the same number', orphans, ({ total, shown }) => total === shown);
  assert.equal(samples.get('pinfold_findings{rule="memory_budget",severity="warning"}'), 0);
  assert.ok((samples.get('pinfold_memory_bytes{kind="map",type="hash"}') ?? 0) > 0);
  assert.ok((samples.get('pinfold_unexplained_references{kind="map"}') ?? -1) >= 0);
  assert.ok((samples.get('pinfold_references{kind="map",holder="pin"}') ?? 0) >= 1);
});

test('what has not moved is not counted again, and what has moved is', async () => {
  await using at = await testAgent({ file: { metrics: { pins: [{ prefix: 'counted' }] } } });
  const { statistics } = at.agent;
  const all = () => [
    statistics.pinCounts(),
    statistics.referenceCounts(),
    statistics.objectCounts(),
    statistics.selectedPins(1000),
  ];
  const before = all();
  for (const [index, counts] of all().entries()) assert.equal(counts, before[index]);
  mkdirSync(`${at.bpffs.path}/counted`);
  createMap(`${at.bpffs.path}/counted/map`, { name: 'pf_counted' });
  await at.agent.reads.refresh();
  for (const [index, counts] of all().entries()) assert.notEqual(counts, before[index]);
  const { selected, samples } = statistics.selectedPins(1000);
  assert.deepEqual([selected, samples.map(({ name }) => name)], [1, ['pf_counted']]);
  const ours = statistics.pinCounts().find(({ mount, kind }) => mount === at.mount && kind === 'map');
  assert.equal(ours?.count, 1);
});

test('an instance that only another mount namespace shows is not called by our path', () => {
  const seen = (namespace: number, path: string, shadowed = false) => ({
    path,
    namespace,
    pid: 1,
    shadowed,
    read_only: false,
  });
  assert.equal(mountLabel([seen(7, '/a', true), seen(7, '/b')], 7), '/b');
  assert.equal(mountLabel([seen(8, '/sys/fs/bpf'), seen(7, '/a', true)], 7), '/a');
  assert.equal(mountLabel([seen(8, '/sys/fs/bpf')], 7), '/sys/fs/bpf (mount namespace 8)');
  assert.equal(mountLabel([], 7), undefined);
});
