import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { disposable } from './disposal.ts';
import { freePorts } from './ports.ts';
import { start } from './process.ts';
import { tempDir } from './temp-dir.ts';
import { until } from './until.ts';

/** A Prometheus server of the test's own. */
export interface Prometheus extends Disposable {
  /** `data` of an answer of its HTTP API; fails on anything but success. */
  api(path: string): Promise<Answer>;
  /** What an expression gives now. */
  query(expression: string): Promise<readonly Sample[]>;
}

/** One series of an instant query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

type Answer = Readonly<Record<string, readonly unknown[]>>;

/** Starts one with a configuration, which is JSON and so YAML too, and waits until it is ready. */
export async function startPrometheus(config: unknown): Promise<Prometheus> {
  const dir = tempDir('prometheus');
  const file = join(dir.path, 'prometheus.yml');
  writeFileSync(file, JSON.stringify(config));
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const child = start('prometheus', [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(dir.path, 'data')}`,
    `--web.listen-address=${address}`,
  ]);
  const ask = async (path: string): Promise<Response | undefined> => {
    if (child.ended() !== undefined) throw new Error(`Prometheus ended: ${child.stderr()}`);
    return await fetch(`http://${address}${path}`).catch(() => undefined);
  };
  const release = disposable(() => {
    child[Symbol.dispose]();
    dir[Symbol.dispose]();
  });
  const isReady = async () => (await ask('/-/ready'))?.ok === true;
  await until('Prometheus to be ready', isReady, Boolean, { timeoutMs: 60_000, everyMs: 50 });
  const api = async (path: string): Promise<Answer> => {
    const answer = await ask(`/api/v1/${path}`);
    const body: { status?: string; data?: Answer } = JSON.parse((await answer?.text()) ?? '{}');
    if (body.status !== 'success' || body.data === undefined)
      throw new Error(`${path}: ${JSON.stringify(body)}`);
    return body.data;
  };
  const query = async (expression: string): Promise<readonly Sample[]> => {
    const { result = [] } = await api(`query?query=${encodeURIComponent(expression)}`);
    return result.map(parseSample);
  };
  return { api, query, ...release };
}

function parseSample(sample: unknown): Sample {
  return sample as Sample;
}
