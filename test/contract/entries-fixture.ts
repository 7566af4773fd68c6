import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
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

/** What bpftool prints for each entry, as text, sorted. */
export function bpftoolItems(id: number): readonly string[] {
  const text = execFileSync('bpftool', ['-j', 'map', 'dump', 'id', String(id)], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  }).trim();
  return text === '[]'
    ? []
    : text
        .slice(1, -1)
        .split(/,(?=\{"key":\[)/)
        .sort();
}

/** Byte j of the value of entry i, as test/support/c/entries.c writes it. */
export function pattern(i: number, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, j) => (31 * i + 7 * j) % 251));
}
