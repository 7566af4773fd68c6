import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import test from 'node:test';
import { asAsked, formatPlaces, parsePlaces } from '../../src/cluster/fan-out/places.ts';
import type { Fleet, FleetQuestion } from '../../src/cluster/fleet.ts';
import { clusterKey, parseClusterName } from '../../src/model/cluster/key.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { movedClock } from '../support/moved-clock.ts';
import { until } from '../support/until.ts';
import { fleetOf, linesOf, nodeWith, question } from './fan-out-fixture.ts';

const noPlaces = { begun: '2026-01-01T00:00:00.000Z', nodes: new Map<string, string>() };

/** All pages, one after another. */
async function everyPage(fleet: Fleet, limit: number, changed: Partial<FleetQuestion> = {}) {
  const items: string[] = [];
  const unreachable: string[] = [];
  let from: Awaited<ReturnType<Fleet['page']>>['next'];
  let pages = 0;
  do {
    const page = await fleet.page(question(changed), { limit, from });
    assert.ok(page.items.length <= limit);
    if (page.next !== undefined) assert.equal(page.items.length, limit, 'only the last page is short');
    items.push(...page.items.map(({ node, path }) => `${node}/${String(path)}`));
    unreachable.push(...page.unreachable.map(({ node }) => node));
    from = page.next;
    pages += 1;
  } while (from !== undefined);
  return { items, unreachable, pages };
}

test('pages of any size give each pin of each node once, by node and in its order', async () => {
  const counts = [0, 3, 1, 0, 12, 7, 0, 1, 25, 2, 0];
  const names = counts.map((_, index) => `n${String(index).padStart(2, '0')}`);
  const { fleet } = await fleetOf(
    Object.fromEntries(names.map((name, index) => [name, nodeWith(counts[index] ?? 0)])),
  );
  const expected = names.flatMap((name, at) =>
    Array.from({ length: counts[at] ?? 0 }, (_, index) => `${name}/p${index}`),
  );
  for (const limit of [1, 2, 3, 7, 11, 50, 51, 52, 1000]) {
    const { items, unreachable } = await everyPage(fleet, limit);
    assert.deepEqual([items, unreachable], [expected, []], `limit ${limit}`);
  }
  const even = await everyPage(fleet, 5, { selector: [{ key: 'even', operator: '=', value: 'true' }] });
  assert.deepEqual(
    even.items,
    expected.filter((item) => Number(item.slice(1, 3)) % 2 === 0),
  );
});

test('a node that does not answer is named on one page, though it was asked for an earlier one', async () => {
  const { fleet } = await fleetOf({ n0: nodeWith(4), n1: nodeWith(4), n2: 'http://127.0.0.1:1' });
  const { items, unreachable } = await everyPage(fleet, 5);
  assert.deepEqual([items.length, unreachable], [8, ['n2']]);
});

test('a first page asks few nodes, however many there are', async () => {
  let asked = 0;
  const nodes = Array.from({ length: 60 }, (_, index) => [
    `n${String(index).padStart(2, '0')}`,
    nodeWith(100, () => {
      asked += 1;
    }),
  ]);
  const { fleet } = await fleetOf(Object.fromEntries(nodes));
  const page = await fleet.page(question(), { limit: 150, from: undefined });
  assert.equal(page.items.length, 150);
  assert.ok(asked <= 6, `${asked} requests`);
});

test('a stream asks a bounded number of nodes at a time and gives everything', async () => {
  let now = 0;
  let most = 0;
  const slow: RequestListener = (request, response) => {
    now += 1;
    most = Math.max(most, now);
    setTimeout(() => {
      now -= 1;
      nodeWith(30)(request, response);
    }, 5);
  };
  const nodes = Array.from({ length: 100 }, (_, index) => [`n${index}`, slow]);
  const { fleet } = await fleetOf(Object.fromEntries(nodes));
  const seen = new Set<string>();
  const stream = fleet.stream(question());
  for (let step = await stream.next(); ; step = await stream.next()) {
    if (step.done === true) {
      assert.deepEqual(step.value, { count: 3000, nodes: 100, complete: true, unreachable: [] });
      break;
    }
    for (const line of step.value.toString().trim().split('\n')) {
      const { node, path } = JSON.parse(line);
      seen.add(`${node}/${path}`);
    }
  }
  assert.equal(seen.size, 3000);
  assert.ok(most <= limits.nodesAtOnce, `${most} at once`);
});

test('nodes that lie, stall, break off or send too much are named with why; the others answer', async () => {
  const json = (body: unknown): RequestListener => {
    return (_, response) => void response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  const item = { path: 'x', node: 'somebody-else' };
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const bad: Readonly<Record<string, readonly [RequestListener | string, RegExp]>> = {
    'bad-json': [json('{"items":'), /not JSON/],
    'bad-depth': [json(`{"items":[{"x":${deep}}],"next_cursor":null}`), /nests too deep/],
    'bad-shape': [json({ items: {}, next_cursor: null }), /no page/],
    'bad-items': [json({ items: [1, null], next_cursor: null }), /no page/],
    'bad-cursor': [json({ items: [], next_cursor: 'x'.repeat(limits.cursorCharsMax + 1) }), /no page/],
    'bad-more-of-nothing': [json({ items: [], next_cursor: 'on' }), /no page/],
    'bad-many': [json({ items: Array(1001).fill(item), next_cursor: null }), /no page/],
    'bad-stall': [() => undefined, /took too long/],
    'bad-cut': [(_, response) => void response.write('{', () => response.destroy()), /broke|closed/],
    'bad-refuse': [
      (_, response) => void response.writeHead(403).end('{"code":"forbidden","detail":"no"}'),
      /403 forbidden.*no/,
    ],
    'bad-redirect': [
      (_, response) => void response.writeHead(302, { location: 'http://x/' }).end('{}'),
      /302/,
    ],
    'bad-address': ['unix:/run/pinfold/agent.sock', /gives no address/],
    'bad-user': ['http://user@127.0.0.1:1', /gives no address/],
    'bad-closed': ['http://127.0.0.1:1', /nothing listens/],
    'bad-drip': [
      (_, response) => {
        const drip = setInterval(() => response.write(' '), 20);
        response.once('close', () => clearInterval(drip));
      },
      /took too long/,
    ],
  };
  const { fleet } = await fleetOf({
    ...Object.fromEntries(Object.entries(bad).map(([name, [answer]]) => [name, answer])),
    good: nodeWith(5),
    'good-spoof': (request, response) => {
      const isLines = request.headers.accept === 'application/x-ndjson';
      response.end(isLines ? linesOf([item]) : JSON.stringify({ items: [item], next_cursor: null }));
    },
  });
  const page = await fleet.page(question({ deadlineMs: 2000 }), { limit: 5000, from: undefined });
  assert.deepEqual(
    page.items.map(({ node }) => node),
    ['good', 'good', 'good', 'good', 'good', 'good-spoof'],
    'a node speaks for itself only',
  );
  assert.equal(page.unreachable.length, Object.keys(bad).length);
  for (const { node, reason } of page.unreachable) assert.match(reason, bad[node]?.[1] ?? /^$/, node);
  const stream = fleet.stream(question({ deadlineMs: 2000 }));
  let step = await stream.next();
  while (step.done !== true) step = await stream.next();
  assert.deepEqual([step.value.count, step.value.complete], [6, false]);
  assert.deepEqual(
    step.value.unreachable.map(({ node }) => node),
    Object.keys(bad).sort(),
  );
});

test('a question that one node refuses is answered by the others; what all refuse is refused', async () => {
  const refuse = (code: string, status = 422): RequestListener => {
    const body = JSON.stringify({ code, detail: 'an older one', errors: [{ pointer: '/x', detail: 'y' }] });
    return (_, response) => void response.writeHead(status).end(body);
  };
  const older = Object.fromEntries(
    Array.from({ length: 2 * limits.nodesAtOnce }, (_, index) => [`a${index}`, refuse('invalid_input')]),
  );
  const liar = { liar: refuse('forbidden') };
  const mixed = await fleetOf({ ...older, ...liar, z1: nodeWith(3) });
  const lists = async (fleet: Fleet) => {
    const stream = fleet.stream(question());
    let step = await stream.next();
    while (step.done !== true) step = await stream.next();
    return step.value;
  };
  const page = await mixed.fleet.page(question(), { limit: 100, from: undefined });
  const { caller, deadlineMs } = question();
  const each = { method: 'GET', target: '/v1/pins?limit=9', caller, deadlineMs };
  const names = [...Object.keys(older), 'z1'];
  const asked = await mixed.fleet.askEach(names, { ...each, signal: question().signal });
  const streamed = await lists(mixed.fleet);
  assert.deepEqual([page.items.length, streamed.count, asked.answers.length], [3, 3, 1]);
  for (const { unreachable } of [page, streamed, asked]) {
    const reasonOf = new Map(unreachable.map(({ node, reason }) => [node, reason]));
    for (const name of Object.keys(older)) assert.match(reasonOf.get(name) ?? '', /invalid_input.*older/);
  }
  assert.match(page.unreachable.at(-1)?.reason ?? '', /it refused \(422 forbidden\)/);

  const all = await fleetOf({ ...older, gone: 'http://127.0.0.1:1' });
  const isRefused = (error: unknown): boolean =>
    isPinfoldError(error, 'invalid_input') && /older/.test(error.message);
  await assert.rejects(all.fleet.page(question(), { limit: 100, from: undefined }), isRefused);
  await assert.rejects(lists(all.fleet), isRefused);
  await assert.rejects(
    all.fleet.events(question({ path: '/v1/events' }), { limit: 10, after: noPlaces }),
    isRefused,
  );
});

test('each node is asked from its own place, within its page too; else since the reader began', async () => {
  const asked = new Map<string, string | null>();
  const placesOfTwo = ['4-aaaaaaaa', '5-bbbbbbbb', '6-cccccccc'];
  const node = (name: string, answer: object, all: readonly object[] = [], places?: readonly string[]) => {
    const listener: RequestListener = (request, response) => {
      const { searchParams } = new URL(request.url ?? '', 'http://x');
      asked.set(name, searchParams.get('since'));
      const cut = all.slice(0, Number(searchParams.get('limit')));
      const next_cursor = cut.length < all.length ? 'more' : null;
      const passed = places?.slice(0, cut.length + 1);
      response.end(JSON.stringify({ items: cut, next_cursor, places: passed, ...answer }));
    };
    return listener;
  };
  const items = [
    { seq: 5, time: '2026-01-01T00:00:05.000Z' },
    { seq: 6, time: '2026-01-01T00:00:06.000Z' },
  ];
  const gap = { after: 900, next: 5, reason: 'other_log' };
  const { fleet } = await fleetOf({
    ...{
      begins: node('begins', { resume: '70-aaaaaabbbbbb' }),
      late: node('late', { resume: '8-ccccccdd' }),
    },
    ...{ lost: node('lost', { gap, resume: '6-eeeeeeff' }, items), older: node('older', {}) },
    ...{ exact: node('exact', {}, items, placesOfTwo), odd: node('odd', { gap: { after: 'x' } }) },
    ...{ far: node('far', { gap }, [{ seq: 5, time: '2026-01-01T00:00:07.000Z' }], placesOfTwo) },
    ...{ short: node('short', {}, items, ['4']), other: node('other', {}, items, ['4', '5', '7']) },
  });
  const nodes = new Map([
    ['begins', asAsked],
    ['exact', '4-aaaaaa'],
    ['far', '900-123456'],
    ['lost', '900-123456'],
    ['older', '3'],
  ]);
  const after = { ...noPlaces, nodes };
  const events = question({ path: '/v1/events' });
  const found = await fleet.events(events, { limit: 10, after });
  const { begun } = noPlaces;
  assert.deepEqual(Object.fromEntries(asked), {
    ...{ begins: null, late: begun, lost: '900-123456', odd: begun, older: '3' },
    ...{ exact: '4-aaaaaa', far: '900-123456', other: begun, short: begun },
  });
  assert.deepEqual(Object.fromEntries(found.places.nodes), {
    ...{ begins: '70-aaaaaa', late: '8-cccccc', lost: '6-eeeeee', older: '3' },
    ...{ exact: '6-cccccc', far: '5-bbbbbb' },
  });
  assert.deepEqual(
    found.gaps,
    ['far', 'lost'].map((name) => ({ node: name, ...gap })),
  );
  assert.deepEqual(
    [found.items.map(({ seq }) => seq), found.unreachable.map(({ node: name }) => name)],
    [
      [5, 5, 6, 6, 5],
      ['odd', 'other', 'short'],
    ],
  );
  const { places, hasMore } = await fleet.events(events, { limit: 2, after });
  const within = ['exact', 'far', 'lost'].map((name) => places.nodes.get(name));
  assert.deepEqual([within, hasMore], [['5-bbbbbb', '4-aaaaaa', '5'], true]);
  assert.deepEqual(parsePlaces(formatPlaces(found.places)), found.places);
});

test('places of a thousand nodes fit into a header', () => {
  const nodes = new Map(
    Array.from({ length: 1000 }, (_, index) => {
      const hash = createHash('sha256').update(String(index)).digest('hex').slice(0, 6);
      return [`node-${index}`, `${1_000_000 + index * 7919}-${hash}`];
    }),
  );
  const packed = formatPlaces({ ...noPlaces, nodes });
  assert.ok(8 + packed.toString('base64url').length < limits.cursorCharsMax, String(packed.length));
  assert.deepEqual(parsePlaces(packed).nodes, nodes);
  for (const length of [0, 3, 4, packed.length - 1]) {
    assert.throws(() => parsePlaces(packed.subarray(0, length)), { code: 'bad_cursor' });
  }
  assert.throws(() => parsePlaces(Buffer.concat([packed, Buffer.alloc(1)])), { code: 'bad_cursor' });
});

test('an answer of one node is bounded in memory', async () => {
  const piece = Buffer.alloc(1024 * 1024, 0x20);
  let sent = 0;
  const { fleet } = await fleetOf({
    flood: (_, response) => {
      const more = (): void => {
        if (response.destroyed) return;
        sent += piece.length;
        if (response.write(piece)) setImmediate(more);
        else response.once('drain', more);
      };
      more();
    },
  });
  const asked = question({ deadlineMs: limits.nodeDeadlineMsMax });
  const page = await fleet.page(asked, { limit: 10, from: undefined });
  assert.match(page.unreachable[0]?.reason ?? '', /more than \d+ bytes/);
  const stopped = sent;
  assert.ok(stopped < 3 * limits.nodeAnswerBytesMax, `${stopped} bytes`);
});

test('whoever goes stops the asking', async () => {
  let asked = 0;
  const nodes = Array.from({ length: 200 }, (_, index) => [
    `n${index}`,
    nodeWith(1_000_000, () => {
      asked += 1;
    }),
  ]);
  const { fleet } = await fleetOf(Object.fromEntries(nodes));
  const gone = new AbortController();
  const stream = fleet.stream(question({ signal: gone.signal }));
  await stream.next();
  gone.abort();
  await stream.return({ count: 0, nodes: 0, complete: false, unreachable: [] });
  const then = asked;
  assert.ok(then <= limits.nodesAtOnce * 3 + limits.nodePagesAhead, `${then} pages were asked for`);
});

test('what a node wrote that is no member does not keep the others from being seen', async () => {
  const { fleet, store } = await fleetOf({ good: nodeWith(1) });
  for (const value of ['', '{}', '[]', '{"address":5}', 'null']) {
    const key = clusterKey('nodes', parseClusterName('odd'), 'member');
    await store.txn({ conditions: [], changes: [{ put: key, value }] });
    await until(
      'the odd node',
      () => fleet.nodes([]).length,
      (length) => length === 2,
    );
  }
  const [good, odd] = fleet.nodes([]);
  assert.deepEqual([good?.state, odd?.state, odd?.address], ['ready', 'stale', undefined]);
});

test('a node is gone five minutes after it went, whatever the manager’s time of day is set to', async () => {
  const clock = movedClock();
  const { fleet, store } = await fleetOf({ here: nodeWith(1), away: nodeWith(1) }, clock);
  const states = (): string =>
    fleet
      .nodes([])
      .map(({ name, state }) => `${name} ${state}`)
      .join();
  const name = parseClusterName('away');
  const digest = JSON.stringify({ labels: {}, observed_at: clock.now().toISOString(), boot_id: 'b' });
  const changes = [
    { put: clusterKey('nodes', name, 'digest'), value: digest },
    { delete: clusterKey('nodes', name, 'member') },
  ];
  await store.txn({ conditions: [], changes });
  await until('the node to be away', states, (seen) => seen === 'away stale,here ready');
  clock.setBy(24 * 3_600_000);
  assert.equal(states(), 'away stale,here ready', 'a day ahead');
  clock.setBy(-48 * 3_600_000);
  clock.sleep(limits.nodeGoneMs);
  assert.equal(states(), 'away gone,here ready', 'a day behind');
});
