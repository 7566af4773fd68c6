import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'undici';
import { writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { disposable } from '../../test/support/disposal.ts';
import { type Namespaces, openNamespaces } from '../../test/support/mount-ns.ts';
import type { Child } from '../../test/support/process.ts';
import { repoPath } from '../../test/support/repo-root.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { until, untilPasses } from '../../test/support/until.ts';
import type { FleetAnswer, FleetPart } from './fleet-part.ts';

/** Nodes that one process stands for. */
const nodesEach = 250;
/** The API of the one real node, through the manager. */
const real = '/v1/cluster/nodes/real/api/v1';
const etcdPort = 2379;
const patience = { timeoutMs: 300_000, everyMs: 100 };
/** This file as it runs: from the sources, or from what was built of them. */
const isSource = import.meta.filename.endsWith('.ts');
const nodesProgram = join(import.meta.dirname, `fleet-nodes.${isSource ? 'ts' : 'js'}`);

/**
 * A fleet in a network namespace of its own: a real etcd, a real manager, and simulated nodes in processes of
 * theirs, so that the manager's memory and time are its own.
 */
export class FleetWorld implements Disposable {
  /** The manager's unix socket. */
  readonly pool: Pool;
  readonly #spaces: Namespaces;
  readonly #dir: string;
  readonly #children: Child[] = [];
  readonly #parts: Child[] = [];
  readonly #release: Disposable;
  #answer: FleetAnswer | undefined;
  #count = 0;
  #managerPid = 0;

  private constructor(spaces: Namespaces) {
    const dir = tempDir('fleet');
    this.#spaces = spaces;
    this.#dir = dir.path;
    const socketPath = join(dir.path, 'run/manager.sock');
    this.pool = new Pool('http://localhost', { socketPath, pipelining: 1 });
    this.#release = disposable(() => {
      void this.pool.destroy();
      for (const child of [...this.#parts, ...this.#children]) child[Symbol.dispose]();
      spaces[Symbol.dispose]();
      dir[Symbol.dispose]();
    });
  }

  /** Starts etcd, the manager and one real node, whose pins are what all others will answer. */
  static async open(pins: number): Promise<FleetWorld> {
    const world = new FleetWorld(await openNamespaces({ net: true }));
    try {
      await world.#start(pins);
      return world;
    } catch (error) {
      world[Symbol.dispose]();
      throw error;
    }
  }

  /** The manager's process. */
  get manager(): number {
    return this.#managerPid;
  }

  /** Nodes there are, the real one among them. */
  get nodes(): number {
    return this.#count + 1;
  }

  /** Adds nodes until there are so many beside the real one, and waits until all of them are ready. */
  async grow(count: number): Promise<void> {
    const fresh: Child[] = [];
    while (this.#count < count) {
      const more = Math.min(nodesEach, count - this.#count);
      fresh.push(this.#startNodes(this.#count, more));
      this.#count += more;
    }
    for (const child of fresh) await child.line(/^joined$/, patience.timeoutMs);
    const states = async (): Promise<string> => await this.get('/v1/cluster/nodes', 'application/x-ndjson');
    const isReady = (text: string): boolean => text.match(/"state":"ready"/g)?.length === this.nodes;
    await until('all nodes to be ready', states, isReady, patience);
  }

  /** Resolves when every node has heard of a generation. */
  async seen(generation: number): Promise<void> {
    for (const part of this.#parts) part.write(String(generation));
    for (const part of this.#parts) await part.line(new RegExp(`^seen ${generation}$`), patience.timeoutMs);
  }

  /** Runs etcdctl and gives what it prints. */
  ctl(...words: readonly string[]): string {
    return this.#spaces.run(
      'env',
      'ETCDCTL_API=3',
      'etcdctl',
      '--endpoints',
      `127.0.0.1:${etcdPort}`,
      ...words,
    );
  }

  /** Asks the manager as root of its machine. @throws Error for anything but 200 */
  async get(path: string, accept = 'application/json'): Promise<string> {
    const { statusCode, body } = await this.pool.request({ method: 'GET', path, headers: { accept } });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`GET ${path}: ${statusCode} ${text}`);
    return text;
  }

  [Symbol.dispose](): void {
    this.#release[Symbol.dispose]();
  }

  async #start(pins: number): Promise<void> {
    const client = `http://127.0.0.1:${etcdPort}`;
    const where = ['--listen-client-urls', `http://0.0.0.0:${etcdPort}`, '--advertise-client-urls', client];
    this.#run(
      'etcd',
      '--data-dir',
      join(this.#dir, 'etcd'),
      ...where,
      '--logger',
      'zap',
      '--log-level',
      'error',
    );
    await untilPasses(() => void this.ctl('endpoint', 'health'), patience);
    writeClusterKey(join(this.#dir, 'key'));
    const shape = ['type', 'hash', 'key', '4', 'value', '8', 'entries', '64'];
    for (let index = 0; index < pins; index += 1) {
      const path = `/sys/fs/bpf/m${String(index).padStart(4, '0')}`;
      this.#spaces.run('bpftool', 'map', 'create', path, ...shape, 'name', 'pf_bench');
    }
    const fleet = ['--etcd', client, '--cluster-key', join(this.#dir, 'key'), '--log-level', 'error'];
    const own = ['--bpffs', '/sys/fs/bpf', '--state-dir', join(this.#dir, 'state'), '--node', 'real'];
    const agentRun = ['--run-dir', join(this.#dir, 'agent'), '--listen', '127.0.0.1:7464'];
    const agent = this.#run(
      process.execPath,
      repoPath('bin/pinfold'),
      'agent',
      ...own,
      ...agentRun,
      ...fleet,
    );
    const run = ['--run-dir', join(this.#dir, 'run'), '--listen', '127.0.0.1:7463', '--node', 'manager'];
    const manager = this.#run(process.execPath, repoPath('bin/pinfold'), 'manager', ...run, ...fleet);
    this.#managerPid = manager.pid;
    const isReady = async (): Promise<boolean> =>
      [agent, manager].some((child) => child.ended() !== undefined) ||
      (await this.get('/v1/cluster/nodes').then(
        (text) => text.includes('"ready"'),
        () => false,
      ));
    await until('the agent and the manager to be ready', isReady, Boolean, patience);
    for (const child of [agent, manager])
      if (child.ended() !== undefined) throw new Error(`it ended: ${child.stderr()}`);
    const lines = await this.get(`${real}/pins?fresh=true&limit=${pins}`, 'application/x-ndjson');
    this.#answer = { count: pins, lines, page: await this.get(`${real}/pins?limit=${pins}`) };
    const told = lines.split('\n').length - 2;
    if (told !== pins) throw new Error(`the real node has ${told} pins`);
  }

  #startNodes(first: number, count: number): Child {
    if (this.#answer === undefined) throw new Error('the fleet has not been started');
    const port = 8000 + this.#parts.length;
    const keyFile = join(this.#dir, 'key');
    const part: FleetPart = { first, count, port, etcdPort, keyFile, answer: this.#answer };
    const file = join(this.#dir, `part-${first}.json`);
    writeFileSync(file, JSON.stringify(part));
    const child = this.#spaces.start(
      process.execPath,
      ...(isSource ? ['--import', import.meta.resolve('tsx')] : []),
      nodesProgram,
      file,
    );
    this.#parts.push(child);
    return child;
  }

  #run(command: string, ...words: readonly string[]): Child {
    const child = this.#spaces.start(command, ...words);
    this.#children.push(child);
    return child;
  }
}
