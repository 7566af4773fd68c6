import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import test, { after } from 'node:test';
import { listUrls } from '../../scripts/openapi.ts';
import { mergeConfig } from '../../src/model/config.ts';
import { mergeManagerConfig } from '../../src/model/manager-config.ts';
import { type Role, roles } from '../../src/model/role.ts';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { testManager } from '../support/manager.ts';
import { askTls, type TestPki, testPki } from '../support/pki.ts';
import { repoPath } from '../support/repo-root.ts';
import { until } from '../support/until.ts';

/** One method of one route of the fleet, the role it needs, and what it answers to who has that. */
interface Operation {
  readonly method: string;
  readonly template: string;
  readonly role: Role;
  /** Its status, and the code of a refusal: `404 node_not_found`. */
  readonly answer: string;
  readonly body?: () => unknown;
}

/** Below a node's own API: the document leaves it out, since every route of a node is there. */
const passThrough = '/v1/cluster/nodes/{node}/api/{path}';
const passMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** The parts of each URL name nobody, but for the pin set that is put. */
const urlOf = ({ method, template }: Pick<Operation, 'method' | 'template'>): string =>
  template
    .replace('{path}', 'v1/pins/held')
    .replaceAll(/\{\w+\}/g, method === 'PUT' && template.includes('pinsets') ? 'made' : 'nobody');

let made = 0;
/** What is sent where something must be: right, so that it is only the role that may be refused. */
const bodies: Readonly<Record<string, () => unknown>> = {
  'PUT /v1/cluster/pinsets/{name}': () => ({}),
  'POST /v1/cluster/pinsets/{name}/diff': () => ({}),
  'POST /v1/cluster/pinsets/{name}/adopt': () => ({ node: 'nobody' }),
  'POST /v1/cluster/tokens': () => ({ name: `made-${++made}`, role: 'viewer' }),
};

/** What each answers that finds something else than 200 there; `docs/errors.md` has the codes. */
const answers: Readonly<Record<string, string>> = {
  'GET /v1/cluster/nodes/{node}': '404 node_not_found',
  'DELETE /v1/cluster/nodes/{node}': '404 node_not_found',
  'GET /v1/cluster/pinsets/{name}': '404 pinset_not_found',
  'DELETE /v1/cluster/pinsets/{name}': '404 pinset_not_found',
  'GET /v1/cluster/pinsets/{name}/status': '404 pinset_not_found',
  'GET /v1/cluster/pinsets/{name}/diff': '404 pinset_not_found',
  'POST /v1/cluster/pinsets/{name}/pause': '404 pinset_not_found',
  'POST /v1/cluster/pinsets/{name}/resume': '404 pinset_not_found',
  'POST /v1/cluster/pinsets/{name}/rollback': '404 pinset_not_found',
  'POST /v1/cluster/pinsets/{name}/adopt': '404 node_not_found',
  'POST /v1/cluster/tokens': '201',
  'DELETE /v1/cluster/tokens/{name}': '404 token_not_found',
};

/** As the OpenAPI document has them, each GET as HEAD, too; and what is passed on. */
function readOperations(): readonly Operation[] {
  const { paths } = JSON.parse(readFileSync(repoPath('openapi', 'pinfold.json'), 'utf8')) as {
    paths: Record<string, Record<string, { 'x-role'?: Role }>>;
  };
  const told = Object.entries(paths)
    .filter(([template]) => template.startsWith('/v1/cluster/'))
    .flatMap(([template, methods]) =>
      Object.entries(methods).map(([lower, { 'x-role': role }]): Operation => {
        const method = lower.toUpperCase();
        const key = `${method} ${template}`;
        const body = bodies[key];
        return {
          ...{ method, template, role: role ?? assert.fail(`${key} has no role`) },
          answer: answers[key] ?? '200',
          ...(body === undefined ? {} : { body }),
        };
      }),
    );
  const heads = told.filter(({ method }) => method === 'GET').map((one) => ({ ...one, method: 'HEAD' }));
  const passed = passMethods.map((method): Operation => {
    const place = { method, template: passThrough, role: 'viewer' } as const;
    return { ...place, answer: '404 node_not_found' };
  });
  return [...told, ...heads, ...passed];
}

const operations = readOperations();
let etcd: TestEtcd | undefined;
const authorities: TestPki[] = [];
const connections: Agent[] = [];
const opening = open();
const patience = { timeoutMs: 60_000, everyMs: 100 };

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
  await manager.local.put('/v1/cluster/pinsets/made').send({}).expect(201);
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

type Place = 'node' | 'both' | 'manager';
/** Who comes: whose certificate, with a token of which role, speaking for somebody of which role. */
interface Comer {
  readonly cert: 'person' | 'node' | 'manager' | 'both';
  readonly token: Role | undefined;
  readonly speaks?: Role;
}

const may = (role: Role, needed: Role): boolean => roles.indexOf(role) >= roles.indexOf(needed);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const speaking = (role: string) => ({ 'pinfold-actor': 'api:ci', 'pinfold-role': role });

/** What docs/fleet.md says that each gets. */
function expectedOf(place: Place, { role: needed, answer }: Operation, comer: Comer): string {
  const { cert, token, speaks } = comer;
  const mayAsk = cert === 'manager' || cert === 'both';
  if (speaks !== undefined && place !== 'manager' && !mayAsk) return '403 forbidden';
  const spoken = place === 'manager' || speaks === undefined ? undefined : speaks;
  // A node lets nobody of the fleet do more than its --fleet-role, operator unless told.
  const role = spoken === 'admin' ? 'operator' : (spoken ?? token);
  if (role === undefined) return '401 unauthenticated';
  if (!may(role, needed)) return '403 forbidden';
  return place === 'node' ? '421 not_a_manager' : answer;
}

/** Asks one place everything, and tells what is answered otherwise than it should be. */
async function wrongAnswers(place: Place, comer: Comer, secret?: string): Promise<readonly string[]> {
  const { ca, pairs, tokens, ...places } = await opening;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  connections.push(agent);
  const token = secret ?? (comer.token === undefined ? undefined : tokens.get(comer.token)?.[place]);
  const headers = {
    ...(token === undefined ? {} : bearer(token)),
    ...(comer.speaks === undefined ? {} : speaking(comer.speaks)),
  };
  const asking = { ca, pair: pairs[comer.cert], headers, agent };
  const wrong: string[] = [];
  for (const operation of operations) {
    const { method, template, body } = operation;
    const url = `${places[place].url}${urlOf(operation)}`;
    const sent = body === undefined ? {} : { body: body() };
    const { status, body: said } = await askTls({ ...asking, url, method, ...sent });
    const expected = expectedOf(place, operation, comer);
    // An answer to HEAD has no body to have a code in.
    const answer = status < 300 || method === 'HEAD' ? String(status) : `${status} ${said.code}`;
    if (answer !== (method === 'HEAD' ? expected.slice(0, 3) : expected))
      wrong.push(`${method} ${template}: ${answer}, not ${expected}`);
  }
  agent.destroy();
  return wrong;
}

test('what is asked here is every route of the fleet that the router knows, of every role', async () => {
  const templates = new Set(operations.map(({ template }) => template));
  const urls = (await listUrls()).filter((url) => url.startsWith('/v1/cluster'));
  assert.deepEqual(
    urls.map((url) => url.replace('*', '{path}').replaceAll(/:(\w+)/g, '{$1}')).sort(),
    [...templates].sort(),
  );
  const known = new Set(operations.map(({ method, template }) => `${method} ${template}`));
  for (const key of [...Object.keys(answers), ...Object.keys(bodies)]) assert.ok(known.has(key), key);
  assert.deepEqual([...new Set(operations.map(({ role }) => role))].sort(), ['admin', 'operator', 'viewer']);
});

const places = ['node', 'both', 'manager'] as const;
const certificates = ['person', 'node', 'manager', 'both'] as const;

for (const token of [undefined, ...roles]) {
  test(`${token ?? 'nobody'}: each route answers as documented, with any certificate`, async () => {
    for (const place of places)
      for (const cert of certificates)
        assert.deepEqual(await wrongAnswers(place, { cert, token }), [], `${cert} asks ${place}`);
  });
}

for (const speaks of roles) {
  test(`speaking for a ${speaks}: let in with a manager’s certificate, up to --fleet-role`, async () => {
    for (const place of places)
      for (const cert of certificates) {
        const comer = { cert, token: undefined, speaks } as const;
        assert.deepEqual(await wrongAnswers(place, comer), [], `${cert} asks ${place}`);
      }
    // Not even an admin’s token helps a node that speaks for others; at a manager the token counts.
    for (const place of places) {
      const comer = { cert: 'node', token: 'admin', speaks } as const;
      assert.deepEqual(await wrongAnswers(place, comer), [], `a node with a token asks ${place}`);
    }
  });
}

test('an agent that is a manager, too, lets in by a token of the fleet like by its own', async () => {
  const { tokens } = await opening;
  for (const role of roles) {
    const ofFleet = tokens.get(role)?.manager ?? '';
    const look = async () => await wrongAnswers('both', { cert: 'person', token: role }, ofFleet);
    await until('the token to be known there', look, (wrong) => wrong.length === 0, patience);
  }
});

test('a token of one node is nobody’s anywhere else', async () => {
  const { tokens } = await opening;
  const own = tokens.get('admin')?.node ?? '';
  for (const place of ['both', 'manager'] as const)
    assert.deepEqual(await wrongAnswers(place, { cert: 'person', token: undefined }, own), []);
});

test('what is no method of a route is refused as that, to those who may look', async () => {
  const { ca, pairs, manager, tokens } = await opening;
  const templates = [...new Set(operations.map(({ template }) => template))];
  const others = templates.flatMap((template) => {
    const has = (method: string): boolean =>
      operations.some((one) => one.template === template && one.method === method);
    const missing = [...passMethods, 'OPTIONS', 'TRACE'].filter((method) => !has(method));
    return missing.map((method) => ({ method, template }));
  });
  const ask = async (one: Pick<Operation, 'method' | 'template'>, headers: Record<string, string>) => {
    const asked = { url: `${manager.url}${urlOf(one)}`, ca, pair: pairs.person, headers };
    const { status } = await askTls({ ...asked, method: one.method });
    return `${one.method} ${one.template}: ${status}`;
  };
  const viewer = bearer(tokens.get('viewer')?.manager ?? '');
  for (const one of others) {
    // What is passed on has no such route; who may is asked before.
    const status = one.template === passThrough ? [404, 401] : [405, 401];
    const said = [await ask(one, viewer), await ask(one, {})];
    assert.deepEqual(
      said,
      status.map((each) => `${one.method} ${one.template}: ${each}`),
    );
  }
});

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

test('another authority’s certificate is refused in the handshake, and none, whatever it asks', async () => {
  const { ca, pairs, tokens, ...world } = await opening;
  for (const place of places)
    for (const token of [undefined, ...roles])
      for (const pair of [pairs.foreign, undefined]) {
        const headers = token === undefined ? {} : bearer(tokens.get(token)?.[place] ?? '');
        const asked = operations.map(async (operation) => {
          const url = `${world[place].url}${urlOf(operation)}`;
          return await askTls({ url, ca, pair, method: operation.method, headers }).then(
            ({ status }) => `${operation.method} ${operation.template}: ${status}`,
            handshakeFailure,
          );
        });
        assert.deepEqual([...new Set(await Promise.all(asked))], ['refused'], `${token} asks ${place}`);
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
      if (isAllowed) assert.ok(status < 300 || body.code === 'object_not_found', what);
      else assert.deepEqual([status, body.code], [403, 'forbidden'], what);
    }
  }
});

test('docs/fleet.md tells the role of each route', () => {
  const file = repoPath('docs', 'fleet.md');
  const text = readFileSync(file, 'utf8');
  const told = operations.filter(({ method, template }) => method !== 'HEAD' && template !== passThrough);
  const rows = told.map(({ method, template, role }) => `| \`${method} ${template}\` | ${role} |`);
  const table = ['| route | needs |', '|---|---|', ...rows].join('\n');
  const place = /\| route \| needs \|\n(?:\|.*\|\n)+/;
  if (process.env['PINFOLD_UPDATE_GOLDEN'] === '1') writeFileSync(file, text.replace(place, `${table}\n`));
  assert.equal(place.exec(readFileSync(file, 'utf8'))?.[0], `${table}\n`);
});
