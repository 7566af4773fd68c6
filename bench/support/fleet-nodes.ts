import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import { Registration } from '../../src/cluster/membership/registration.ts';
import { Mirror } from '../../src/cluster/mirror.ts';
import { readClusterKey } from '../../src/cluster/signing/key-file.ts';
import { SignatureVerifier } from '../../src/cluster/signing/verifier.ts';
import { clusterPrefix, parseClusterName } from '../../src/model/cluster/key.ts';
import { createLog } from '../../src/model/log.ts';
import { realClock } from '../../test/support/observed.ts';
import { type FleetAnswer, type FleetPart, nodeAddress, nodeName, parseFleetPart } from './fleet-part.ts';

/**
 * A part of a simulated fleet, in a process of its own: nodes with the real registration, the real check of
 * signatures and the real mirrors of what is desired, each on an address of its own, each with a connection
 * of its own to etcd. What they answer are documents that a real agent gave, made into bytes beforehand.
 *
 * Its standard input takes a generation a line; it says `seen N` when all its nodes have heard of it.
 */
const log = createLog({
  level: 'warn',
  write: (line) => void process.stderr.write(`${line}\n`),
  now: () => new Date(),
});

/** One node's mirrors of what is desired and of who may go there. */
type Watching = readonly [desired: Mirror, rollout: Mirror];

async function main(part: FleetPart): Promise<void> {
  const key = readClusterKey(part.keyFile);
  const numbers = Array.from({ length: part.count }, (_, index) => part.first + index);
  const verifiers = new Map<string, SignatureVerifier>();
  for (const number of numbers) {
    const node = nodeName(number);
    verifiers.set(
      nodeAddress(number),
      new SignatureVerifier({ node, key, clock: realClock, roleMax: 'operator' }),
    );
  }
  const server = createServer({ keepAliveTimeout: 72_000 }, (request, response) =>
    answer(verifiers.get(request.socket.localAddress ?? ''), part.answer, request, response),
  );
  await new Promise<void>((resolve) => server.listen(part.port, '0.0.0.0', resolve));
  let wanted = 0;
  let said = 0;
  const all: Watching[] = [];
  const look = (): void => {
    if (said >= wanted || !all.every((mirrors) => mirrors.every((mirror) => generationOf(mirror) >= wanted)))
      return;
    said = wanted;
    process.stdout.write(`seen ${said}\n`);
  };
  for (const number of numbers) all.push(await join(part, number, look));
  process.stdout.write('joined\n');
  for await (const line of createInterface(process.stdin)) {
    wanted = Number(line);
    look();
  }
  process.exit();
}

/** Joins as an agent does, and follows what is desired. */
async function join(part: FleetPart, number: number, onChange: () => void): Promise<Watching> {
  const address = nodeAddress(number);
  // Another address is another connection: clients of one process would share theirs.
  const url = `http://${address}:${part.etcdPort}`;
  const store = openEtcdStore({ urls: [url], tls: { ca: undefined, cert: undefined, key: undefined } });
  const about = {
    labels: { role: 'bench', rack: `r${number % 40}` },
    boot_id: `00000000-0000-4000-8000-${number}`,
  };
  const registration = new Registration({
    store,
    node: parseClusterName(nodeName(number)),
    member: {
      ...about,
      address: `http://${address}:${part.port}`,
      version: '0.1.0',
      agent: `00000000-0000-4000-9000-${number}`,
      sees_all_processes: true,
      started_at: new Date().toISOString(),
    },
    digest: async () => ({
      ...about,
      observed_at: new Date().toISOString(),
      pins: part.answer.count,
      objects: { map: 240, program: 180, link: 60, btf: 90 },
      findings: { info: 12, warning: 3, critical: 1 },
      hash: 'x'.repeat(43),
    }),
    log,
  });
  await registration.start();
  const mirror = (first: string): Mirror =>
    new Mirror({ store, prefix: clusterPrefix(first), clock: realClock, log, onChange });
  const mirrors = [mirror('desired'), mirror('rollout')] as const;
  await Promise.all(mirrors.map((each) => each.start()));
  return mirrors;
}

/** The newest generation a node has heard of; there is one pin set here. */
function generationOf({ entries }: Mirror): number {
  const [entry] = entries.values();
  return entry === undefined ? 0 : Number(/"generation":(\d+)/.exec(entry.value)?.[1]);
}

function answer(
  verifier: SignatureVerifier | undefined,
  { lines, page }: FleetAnswer,
  { method = '', url: target = '', headers }: IncomingMessage,
  response: ServerResponse,
): void {
  try {
    if (verifier?.verify({ method, target, headers }) === undefined) throw new Error('unsigned');
  } catch (error) {
    response.writeHead(401).end(JSON.stringify({ code: 'unauthenticated', detail: String(error) }));
    return;
  }
  const isLines = headers.accept === 'application/x-ndjson';
  response.setHeader('content-type', isLines ? 'application/x-ndjson' : 'application/json');
  response.end(isLines ? lines : page);
}

await main(parseFleetPart(process.argv[2]));
