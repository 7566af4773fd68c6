import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { TestAgent } from '../support/agent.ts';

/** One entry as the API gives it. */
export interface Entry {
  readonly key: unknown;
  readonly value?: unknown;
  readonly values?: readonly { readonly cpu: number; readonly value: unknown }[];
}

/** A whole stream: its lines as text, and the summary of the last one. */
export interface Stream {
  readonly lines: readonly string[];
  readonly summary: Readonly<Record<string, unknown>>;
}

/** Reads all entries as NDJSON and checks that the summary counts them. */
export async function streamOf(agent: TestAgent, id: number, query = ''): Promise<Stream> {
  const answer = await agent.local
    .get(`/v1/maps/${id}/entries${query}`)
    .set('accept', 'application/x-ndjson')
    .buffer(true)
    .parse((response, done) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => done(null, Buffer.concat(pieces).toString('utf8')));
    });
  const text = String(answer.body);
  assert.equal(answer.status, 200, text);
  const lines = text.trimEnd().split('\n');
  const { summary } = JSON.parse(lines.pop() ?? '');
  assert.equal(summary.count, lines.length);
  return { lines, summary };
}

/** The entries of a stream, read as JSON. */
export async function entriesOf(agent: TestAgent, id: number, query = ''): Promise<readonly Entry[]> {
  const { lines, summary } = await streamOf(agent, id, query);
  assert.equal(summary['complete'], true);
  return lines.map((line) => JSON.parse(line));
}

/** What bpftool prints of a map: the text of each entry, sorted, and how it ends. */
export interface BpftoolDump {
  readonly items: readonly string[];
  readonly status: number | null;
}

/** Runs `bpftool -j map dump`, which may fail. */
export function bpftoolDump(id: number): BpftoolDump {
  const options = { encoding: 'utf8', maxBuffer: 1 << 28 } as const;
  const { stdout, status } = spawnSync('bpftool', ['-j', 'map', 'dump', 'id', String(id)], options);
  const text = stdout.trim();
  const items =
    text === '[]'
      ? []
      : text
          .slice(1, -1)
          .split(/,(?=\{"key":\[)/)
          .sort();
  return { items, status };
}

/** What bpftool prints for each entry, as text, sorted. */
export function bpftoolItems(id: number): readonly string[] {
  const { items, status } = bpftoolDump(id);
  assert.equal(status, 0);
  return items;
}

/** Byte j of the value of entry i, as test/support/c/entries.c writes it. */
export function pattern(i: number, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, j) => (31 * i + 7 * j) % 251));
}
