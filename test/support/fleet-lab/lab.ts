import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import supertest from 'supertest';
import { writeClusterKey } from '../../../src/cluster/signing/key-file.ts';
import { disposable } from '../disposal.ts';
import type { Child } from '../process.ts';
import { repoPath } from '../repo-root.ts';
import { tempDir } from '../temp-dir.ts';
import { until, untilPasses } from '../until.ts';
import { type LabMachine, type LabNetwork, openLabNetwork } from './network.ts';

/** Names of the machines: three members of etcd, three agents. */
export const labMembers = ['e1', 'e2', 'e3'] as const;
export const labNodes = ['a', 'b', 'c'] as const;

/** A machine on which one process of the fleet runs. */
export interface LabProcess {
  readonly machine: LabMachine;
  /** The process that runs there now: to be stopped, paused or killed. */
  readonly child: Child;
  /** Ends it, if it still runs, and starts it again with the state it had; does not wait for it. */
  restart(): Promise<void>;
}

/** An agent of the lab, as those on its own machine see it. */
export interface LabNode extends LabProcess {
  /** Requests over its unix socket, as root. */
  readonly local: supertest.Agent;
  /** Its bpffs as it is reached from outside. */
  readonly bpffs: string;
}

/** Three members of etcd and three agents, each on a machine of its own. */
export interface FleetLab extends Disposable {
  readonly network: LabNetwork;
  readonly etcd: Readonly<Record<(typeof labMembers)[number], LabProcess>>;
  readonly nodes: Readonly<Record<(typeof labNodes)[number], LabNode>>;
  /** Runs etcdctl on a member's machine, against that member only. */
  ctl(member: (typeof labMembers)[number], ...words: readonly string[]): string;
}

/** What may differ from lab to lab. */
export interface FleetLabOptions {
  /** More options for the agent of a node. */
  readonly flags?: (node: (typeof labNodes)[number]) => readonly string[];
}

const patience = { timeoutMs: 90_000, everyMs: 100 };
/** The program as this file itself was started: by tsx, or from dist. */
const program = import.meta.filename.endsWith('.ts')
  ? ['--import', import.meta.resolve('tsx'), repoPath('src', 'main.ts')]
  : [repoPath('dist', 'src', 'main.js')];

/** Builds it, and resolves when etcd has a leader and every agent is ready; `a` and `b` are managers. */
export async function openFleetLab({ flags = () => [] }: FleetLabOptions = {}): Promise<FleetLab> {
  const dir = tempDir('lab');
  const running: LabProcess[] = [];
  const network = await openLabNetwork();
  const release = disposable(() => {
    for (const { child } of running) child[Symbol.dispose]();
    network[Symbol.dispose]();
    dir[Symbol.dispose]();
  });
  try {
    const members = [await network.add('e1'), await network.add('e2'), await network.add('e3')] as const;
    const [e1, e2, e3] = members;
    const [m1, m2, m3] = [e1, e2, e3].map((machine) => runMember(machine, members, dir.path));
    if (m1 === undefined || m2 === undefined || m3 === undefined) throw new Error('a member is missing');
    running.push(m1, m2, m3);
    await untilPasses(() => void etcdctl(e1, ['endpoint', 'health']), patience);
    const key = join(dir.path, 'key');
    writeClusterKey(key);
    const urls = members.flatMap(({ ip }) => ['--etcd', `http://${ip}:2379`]);
    const node = async (name: (typeof labNodes)[number]): Promise<LabNode> => {
      const made = runAgent(await network.add(name), join(dir.path, name), [
        '--cluster-key',
        key,
        ...urls,
        ...flags(name),
      ]);
      running.push(made);
      return made;
    };
    const nodes = { a: await node('a'), b: await node('b'), c: await node('c') };
    for (const each of Object.values(nodes)) await untilReady(each);
    const ctl: FleetLab['ctl'] = (member, ...words) => etcdctl({ e1, e2, e3 }[member], words);
    return { network, etcd: { e1: m1, e2: m2, e3: m3 }, nodes, ctl, ...release };
  } catch (error) {
    release[Symbol.dispose]();
    throw error;
  }
}

async function untilReady({ local, child, machine }: LabNode): Promise<void> {
  const look = async (): Promise<boolean> => {
    if (child.ended() !== undefined) return true;
    return await local.get('/readyz').then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await until(`the agent ${machine.name}`, look, Boolean, patience);
  if (child.ended() !== undefined) throw new Error(`the agent ${machine.name} ended: ${child.stderr()}`);
}

function runMember(machine: LabMachine, members: readonly LabMachine[], dir: string): LabProcess {
  const { name, ip } = machine;
  const client = `http://${ip}:2379`;
  const peer = `http://${ip}:2380`;
  const cluster = members.map((member) => `${member.name}=http://${member.ip}:2380`).join(',');
  const own = ['--name', name, '--data-dir', join(dir, name), '--logger', 'zap', '--log-level', 'error'];
  const clients = ['--listen-client-urls', client, '--advertise-client-urls', client];
  const peers = [
    '--listen-peer-urls',
    peer,
    '--initial-advertise-peer-urls',
    peer,
    '--initial-cluster',
    cluster,
  ];
  return runOn(machine, () => machine.spaces.start('etcd', ...own, ...clients, ...peers));
}

function runAgent(machine: LabMachine, dir: string, more: readonly string[]): LabNode {
  const { name, ip, spaces } = machine;
  mkdirSync(dir, { mode: 0o700 });
  const places = ['--bpffs', '/sys/fs/bpf', '--state-dir', join(dir, 'state'), '--run-dir', join(dir, 'run')];
  const own = ['--node', name, '--listen', `${ip}:7463`, '--label', `name=${name}`, '--log-level', 'warn'];
  const words = [...program, 'agent', ...places, ...own, ...more];
  const made = runOn(machine, () => spaces.start(process.execPath, ...words));
  const socket = encodeURIComponent(join(dir, 'run', 'agent.sock'));
  return Object.assign(made, { local: supertest.agent(`http+unix://${socket}`), bpffs: spaces.bpffs });
}

function runOn(machine: LabMachine, begin: () => Child): LabProcess {
  let child = begin();
  return {
    machine,
    get child() {
      return child;
    },
    restart: async () => {
      child[Symbol.dispose]();
      await child.exit();
      child = begin();
    },
  };
}

function etcdctl({ ip, spaces }: LabMachine, words: readonly string[]): string {
  return spaces.run('env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', `http://${ip}:2379`, ...words);
}
