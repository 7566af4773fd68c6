import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { disposable } from './disposal.ts';
import { freePorts } from './ports.ts';
import { type Child, start } from './process.ts';
import { tempDir } from './temp-dir.ts';
import { until, untilPasses } from './until.ts';

/** A real etcd of one or more members, on loopback and in a directory of its own; disposing ends it. */
export interface TestEtcd extends Disposable {
  /** What clients are given. */
  readonly urls: readonly string[];
  /** The members' processes, to be stopped, paused or killed; `restart` takes their places. */
  readonly members: readonly Child[];
  /** Starts a member again, with what it had stored. */
  restart(index: number): void;
  /** Saves what the only member has to a file. */
  save(file: string): void;
  /** Ends the only member and starts it with what was saved, as a cluster of its own unless the id stays. */
  restore(file: string, keeping?: 'the cluster id'): Promise<void>;
  /** Runs etcdctl against all members and gives what it prints. */
  ctl(...words: readonly string[]): string;
}

/** Files by which etcd and its clients know each other; etcdctl of tests shows `root`. */
export interface EtcdTls {
  readonly ca: string;
  readonly member: { readonly cert: string; readonly key: string };
  readonly root: { readonly cert: string; readonly key: string };
}

/** Starts members and waits until they have elected a leader. */
export async function startEtcd(size = 1, more: readonly string[] = [], tls?: EtcdTls): Promise<TestEtcd> {
  const dir = tempDir('etcd');
  const ports = await freePorts(2 * size);
  const places = Array.from({ length: size }, (_, index) => ({
    name: `m${index}`,
    client: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${ports[2 * index]}`,
    peer: `http://127.0.0.1:${ports[2 * index + 1]}`,
  }));
  const initial = places.map(({ name, peer }) => `${name}=${peer}`).join(',');
  const urls = places.map(({ client }) => client);
  const run = (index: number): Child => {
    const { name, client, peer } = places[index] ?? { name: '', client: '', peer: '' };
    const words = ['--name', name, '--data-dir', join(dir.path, name), '--listen-client-urls', client];
    const peers = ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer];
    const cluster = ['--initial-cluster', initial, '--initial-cluster-token', dir.path];
    const calm = ['--logger', 'zap', '--log-level', 'error'];
    const client2 = ['--advertise-client-urls', client];
    return start('etcd', [...words, ...client2, ...peers, ...cluster, ...calm, ...serving(tls), ...more]);
  };
  const members = places.map((_, index) => run(index));
  const ctl = (...words: readonly string[]): string =>
    execFileSync('etcdctl', ['--endpoints', urls.join(','), ...showing(tls), ...words], {
      encoding: 'utf8',
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const self: TestEtcd = {
    urls,
    members,
    restart: (index) => {
      members[index]?.[Symbol.dispose]();
      members[index] = run(index);
    },
    save: (file) => void ctl('snapshot', 'save', file),
    restore: async (file, keeping) => {
      const { name, peer } = places[0] ?? { name: '', peer: '' };
      const data = join(dir.path, name);
      members[0]?.[Symbol.dispose]();
      await members[0]?.exit();
      rmSync(data, { recursive: true });
      const peers = ['--initial-cluster', initial, '--initial-advertise-peer-urls', peer];
      const token = ['--initial-cluster-token', `${dir.path}${keeping === undefined ? '-restored' : ''}`];
      ctl('snapshot', 'restore', file, '--name', name, '--data-dir', data, ...peers, ...token);
      members[0] = run(0);
      await untilPasses(() => void ctl('endpoint', 'health'), { timeoutMs: 30_000, everyMs: 100 });
    },
    ctl,
    ...disposable(() => {
      for (const member of members) member[Symbol.dispose]();
      dir[Symbol.dispose]();
    }),
  };
  try {
    await untilPasses(() => void ctl('endpoint', 'health'), { timeoutMs: 30_000, everyMs: 100 });
  } catch (error) {
    self[Symbol.dispose]();
    throw error;
  }
  return self;
}

/** Uses up the quota of one that was started with a small one; gives what makes room again. */
export async function fillUp({ ctl }: TestEtcd): Promise<() => void> {
  const thick = 'x'.repeat(100_000);
  const fill = (): boolean => {
    try {
      return ctl('put', 'filler', thick) === '';
    } catch (error) {
      return String(error).includes('database space exceeded');
    }
  };
  await until('the quota to be used up', fill, Boolean, { timeoutMs: 90_000, everyMs: 100 });
  return () => {
    ctl('del', 'filler');
    const { header } = JSON.parse(ctl('get', 'filler', '-w', 'json'));
    ctl('compaction', String(header.revision));
    ctl('defrag');
    ctl('alarm', 'disarm');
  };
}

function serving(tls: EtcdTls | undefined): readonly string[] {
  if (tls === undefined) return [];
  const { ca, member } = tls;
  const pair = ['--cert-file', member.cert, '--key-file', member.key, '--trusted-ca-file', ca];
  return [...pair, '--client-cert-auth', '--enable-grpc-gateway=false'];
}

function showing(tls: EtcdTls | undefined): readonly string[] {
  return tls === undefined ? [] : ['--cacert', tls.ca, '--cert', tls.root.cert, '--key', tls.root.key];
}
