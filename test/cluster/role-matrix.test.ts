import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import test, { after } from 'node:test';
import { mergeConfig } from '../../src/model/config.ts';
import { mergeManagerConfig } from '../../src/model/manager-config.ts';
import { type Role, roles } from '../../src/model/role.ts';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { testManager } from '../support/manager.ts';
import { askTls, type Pair, type TestPki, testPki } from '../support/pki.ts';
import { repoPath } from '../support/repo-root.ts';
import { until } from '../support/until.ts';

/** One method of one route of the fleet, as the OpenAPI document has it: new routes come by themselves. */
interface Operation {
  readonly method: string;
  readonly template: string;
  readonly role: Role;
  readonly hasBody: boolean;
}

const operations = readOperations();
let etcd: TestEtcd | undefined;
const authorities: TestPki[] = [];
const connections: Agent[] = [];
const opening = open();
const patience = { timeoutMs: 60_000, everyMs: 100 };

function readOperations(): readonly Operation[] {
  const { paths } = JSON.parse(readFileSync(repoPath('openapi', 'pinfold.json'), 'utf8')) as {
    paths: Record<string, Record<string, { 'x-role'?: Role; requestBody?: unknown }>>;
  };
  return Object.entries(paths)
    .filter(([template]) => template.startsWith('/v1/cluster/'))
    .flatMap(([template, methods]) =>
      Object.entries(methods).map(([method, { 'x-role': role, requestBody }]) => ({
        method: method.toUpperCase(),
        template,
        role: role ?? assert.fail(`${method} ${template} has no role`),
        hasBody: requestBody !== undefined,
      })),
    );
}

/** A manager by itself and a node that is no manager, who know each other by certificates. */
async function open() {
  const ours = await testPki();
  const theirs = await testPki();
  authorities.push(ours, theirs);
  etcd = await startEtcd();
  const pairs = {
    node: await ours.issue('n', { isNode: true }),
    manager: await ours.issue('m', { isManager: true }),
    person: await ours.issue('person'),
    both: await ours.issue('b', { isNode: true, isManager: true }),
    foreign: await theirs.issue('m', { isManager: true }),
  };
  const node = await testAgent({ settings: { node: 'n', etcd: etcd.urls, ...ours.settings(pairs.node) } });
  createMap(`${node.bpffs.path}/held`, { name: 'pf_matrix' });
  await node.local.get('/v1/pins?fresh=true').expect(200);
  const manager = await testManager({ node: 'm', etcd: etcd.urls, ...ours.settings(pairs.manager) });
  await until(
    'the node to be there',
    async () => (await manager.local.get('/v1/cluster/nodes')).body.items,
    (items) => items?.length === 1,
    patience,
  );
  const both = await testAgent({
    settings: { node: 'b', manager: true, etcd: etcd.urls, ...ours.settings(pairs.both) },
  });
  const tokens = new Map<Role, { readonly node: string; readonly both: string; readonly manager: string }>();
  for (const role of roles) {
    const { body } = await manager.local.post('/v1/cluster/tokens').send({ name: role, role }).expect(201);
    const own = { node: await node.token(role), both: await both.token(role) };
    tokens.set(role, { ...own, manager: String(body.token) });
  }
  return { ca: ours.ca, pairs, node, both, manager, tokens };
}

after(async () => {
  const world = await opening.catch(() => undefined);
  for (const each of connections) each.destroy();
  await world?.manager[Symbol.asyncDispose]();
  await world?.both[Symbol.asyncDispose]();
  await world?.node[Symbol.asyncDispose]();
  etcd?.[Symbol.dispose]();
  for (const each of authorities) each[Symbol.dispose]();
});

/** Asks one place everything, with one certificate and these headers; answers of each `status code`. */
async function answersOf(
  place: 'node' | 'both' | 'manager',
  pair: Pair,
  headers: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<Operation, string>> {
  const world = await opening;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  connections.push(agent);
  const answers = new Map<Operation, string>();
  for (const operation of operations) {
    const { method, template, hasBody } = operation;
    const url = `${world[place].url}${template.replaceAll(/\{\w+\}/g, 'nobody')}`;
    const body = hasBody ? { body: {} } : {};
    const { status, body: said } = await askTls({ url, ca: world.ca, pair, method, headers, agent, ...body });
    answers.set(operation, status < 300 ? 'ok' : `${status} ${said.code}`);
  }
  return answers;
}

/** What is expected of each operation, where anything else is told with its name. */
async function expectEach(
  answers: ReadonlyMap<Operation, string>,
  isExpected: (operation: Operation, answer: string) => boolean,
): Promise<void> {
  const wrong = [...answers].filter(([operation, answer]) => !isExpected(operation, answer));
  assert.deepEqual(
    wrong.map(([{ method, template, role }, answer]) => `${method} ${template} (${role}): ${answer}`),
    [],
  );
}

const may = (role: Role, needed: Role): boolean => roles.indexOf(role) >= roles.indexOf(needed);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const speaking = (role: string) => ({ 'pinfold-actor': 'api:ci', 'pinfold-role': role });

/** An answer of the route itself: it was let in, and found nobody of that name, nothing in the body… */
const isIn = (answer: string): boolean => /^(ok|404 |409 |422 |400 |502 |503 )/.test(answer);

/** What a node says that is no manager, to those who may ask one. */
const isNoManager = ({ hasBody }: Operation, answer: string): boolean =>
  answer === '421 not_a_manager' || (hasBody && /^(422|400) /.test(answer));

test('the document has the routes of the fleet, of every role', () => {
  assert.ok(operations.length >= 15, `${operations.length} operations`);
  assert.deepEqual([...new Set(operations.map(({ role }) => role))].sort(), ['admin', 'operator', 'viewer']);
});

for (const role of roles) {
  test(`${role}: a manager lets in to what needs no more, an agent says it is none`, async () => {
    const { pairs, tokens } = await opening;
    const { node = '', manager = '' } = tokens.get(role) ?? {};
    await expectEach(await answersOf('manager', pairs.person, bearer(manager)), (operation, answer) =>
      may(role, operation.role) ? isIn(answer) : answer === '403 forbidden',
    );
    await expectEach(await answersOf('node', pairs.person, bearer(node)), (operation, answer) =>
      may(role, operation.role) ? isNoManager(operation, answer) : answer === '403 forbidden',
    );
  });
}

for (const role of roles) {
  test(`${role}: an agent that is a manager, too, lets in like any manager, by either token`, async () => {
    const { pairs, tokens } = await opening;
    const { both = '', manager: ofFleet = '' } = tokens.get(role) ?? {};
    await until(
      'the token of the fleet to be known there, too',
      async () => await answersOf('both', pairs.person, bearer(ofFleet)),
      (answers) => [...answers.values()].every((answer) => answer !== '401 unauthenticated'),
      patience,
    );
    for (const token of [both, ofFleet])
      await expectEach(await answersOf('both', pairs.person, bearer(token)), (operation, answer) =>
        may(role, operation.role) ? isIn(answer) : answer === '403 forbidden',
      );
  });
}

test('a route of the fleet is the same however it is escaped, and is not passed on to a node', async () => {
  const { ca, pairs, both, manager, tokens } = await opening;
  const { both: own = '', manager: ofFleet = '' } = tokens.get('viewer') ?? {};
  const admin = tokens.get('admin')?.manager ?? '';
  for (const [place, token] of [
    [both, own],
    [both, ofFleet],
    [manager, ofFleet],
  ] as const) {
    for (const path of ['/v1/%63luster/tokens', '/v1/cluster/%74okens', '/%76%31/cluster/tokens']) {
      const asked = { url: `${place.url}${path}`, ca, pair: pairs.person };
      const answers = [await askTls({ ...asked, headers: bearer(token) }), await askTls(asked)];
      assert.deepEqual(
        answers.map(({ status }) => status),
        [403, 401],
        path,
      );
    }
  }
  for (const path of ['/v1/cluster/nodes', '/v1/%63luster/nodes', '/v1/%63LUSTER/nodes', '/v1/clu%73ter']) {
    const url = `${manager.url}/v1/cluster/nodes/b/api${path}`;
    const { status, body } = await askTls({ url, ca, pair: pairs.person, headers: bearer(admin) });
    assert.deepEqual([status, body.code], [404, 'not_found'], path);
  }
});

test('what nests without end is refused by the manager, and by a node it is passed on to', async () => {
  const { ca, pairs, manager, tokens } = await opening;
  const headers = { ...bearer(tokens.get('admin')?.manager ?? '') };
  let deep: unknown = 'x';
  for (let depth = 0; depth < 200; depth += 1) deep = { in: deep };
  for (const [method, path] of [
    ['PUT', '/v1/cluster/pinsets/deep'],
    ['POST', '/v1/cluster/pinsets/deep/diff'],
    ['POST', '/v1/cluster/nodes/n/api/v1/maps'],
  ] as const) {
    const asked = { url: `${manager.url}${path}`, ca, pair: pairs.person, method, headers };
    const { status, body } = await askTls({ ...asked, body: { labels: deep } });
    assert.deepEqual([status, /more than 128 deep/.test(body.detail)], [422, true], JSON.stringify(body));
  }
});

test('an agent or manager that would be root at etcd does not start', async () => {
  const flags = { node: 'root', 'cluster-key': '/nowhere', etcd: ['http://127.0.0.1:1'] };
  for (const merge of [mergeConfig, mergeManagerConfig])
    assert.throws(
      () => merge({ flags, env: {}, file: undefined, hostName: 'host' }),
      /root is the name of etcd’s own administrator: give another with --node/,
    );
});

test('with a certificate and no token nobody is let in anywhere, whosesoever it is', async () => {
  const { pairs, tokens } = await opening;
  for (const place of ['node', 'manager'] as const) {
    for (const pair of [pairs.person, pairs.node, pairs.manager])
      await expectEach(await answersOf(place, pair, {}), (_, answer) => answer === '401 unauthenticated');
  }
  const elsewhere = bearer(tokens.get('admin')?.node ?? '');
  await expectEach(
    await answersOf('manager', pairs.person, elsewhere),
    (_, answer) => answer === '401 unauthenticated',
  );
});

test('who speaks for others is let in at an agent alone, if a manager, up to --fleet-role', async () => {
  const { pairs } = await opening;
  for (const pair of [pairs.person, pairs.node]) {
    const refused = await answersOf('node', pair, speaking('admin'));
    await expectEach(refused, (_, answer) => answer === '403 forbidden');
  }
  for (const pair of [pairs.person, pairs.node, pairs.manager]) {
    const refused = await answersOf('manager', pair, speaking('admin'));
    await expectEach(refused, (_, answer) => answer === '401 unauthenticated');
  }
  for (const [role, least] of [
    ['viewer', 'viewer'],
    ['operator', 'operator'],
    ['admin', 'operator'],
  ] as const) {
    await expectEach(await answersOf('node', pairs.manager, speaking(role)), (operation, answer) =>
      may(least, operation.role) ? isNoManager(operation, answer) : answer === '403 forbidden',
    );
  }
});

test('a foreign authority’s certificate is refused in the handshake, whatever it asks', async () => {
  const { ca, pairs, node, manager, tokens } = await opening;
  for (const [place, token] of [
    [node, tokens.get('admin')?.node],
    [manager, tokens.get('admin')?.manager],
  ] as const) {
    const headers = bearer(token ?? '');
    const asked = operations.map(async ({ method, template }) => {
      const url = `${place.url}${template.replaceAll(/\{\w+\}/g, 'nobody')}`;
      return await askTls({ url, ca, pair: pairs.foreign, method, headers }).then(
        ({ status }) => `${method} ${template}: ${status}`,
        handshakeFailure,
      );
    });
    assert.deepEqual([...new Set(await Promise.all(asked))], ['refused']);
  }
});

/** The server ends a TLS 1.3 connection after its own side of the handshake: as an alert, or as a reset. */
function handshakeFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return /^ERR_SSL_|^ECONNRESET$|^EPIPE$/.test(code) ? 'refused' : code;
}

test('through the manager the node judges the role on its own routes', async () => {
  const { ca, pairs, manager, tokens } = await opening;
  const asks = [
    { needs: 'viewer', method: 'GET', target: '/v1/pins/held' },
    { needs: 'reader', method: 'GET', target: '/v1/maps/1000000/entries' },
    { needs: 'operator', method: 'PUT', target: '/v1/directories/made' },
    { needs: 'admin', method: 'GET', target: '/v1/tokens' },
  ] as const;
  for (const role of roles) {
    const headers = bearer(tokens.get(role)?.manager ?? '');
    for (const { needs, method, target } of asks) {
      const url = `${manager.url}/v1/cluster/nodes/n/api${target}`;
      const { status, body } = await askTls({ url, ca, pair: pairs.person, method, headers });
      const isAllowed = may(role, needs) && needs !== 'admin';
      const what = `${role} ${method} ${target}: ${status} ${JSON.stringify(body)}`;
      if (isAllowed) assert.ok(isIn(status < 300 ? 'ok' : `${status} ${body.code}`), what);
      else assert.deepEqual([status, body.code], [403, 'forbidden'], what);
    }
  }
});

test('docs/fleet.md tells the role of each route', () => {
  const file = repoPath('docs', 'fleet.md');
  const text = readFileSync(file, 'utf8');
  const rows = operations.map(({ method, template, role }) => `| \`${method} ${template}\` | ${role} |`);
  const table = ['| route | needs |', '|---|---|', ...rows].join('\n');
  const place = /\| route \| needs \|\n(?:\|.*\|\n)+/;
  if (process.env['PINFOLD_UPDATE_GOLDEN'] === '1') writeFileSync(file, text.replace(place, `${table}\n`));
  assert.equal(place.exec(readFileSync(file, 'utf8'))?.[0], `${table}\n`);
});
