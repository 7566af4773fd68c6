import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { Response } from 'supertest';
import type { TestAgent } from '../support/agent.ts';

/** Makes a map over HTTP, pinned at `path`, and gives its id. */
export async function makeMap(agent: TestAgent, path: string, spec: object): Promise<number> {
  const sizes = { type: 'hash', key_size: 4, value_size: 8, max_entries: 16 };
  const body = { ...sizes, name: 'pf_edit', ...spec, pin: { path, parents: true } };
  const answer = await agent.local.post('/v1/maps').send(body);
  assert.equal(answer.status, 201, answer.text);
  return Number(answer.body.id);
}

/** What bpftool finds under a key of hexadecimal digits: the bytes of the value; undefined for nothing. */
export function bpftoolValue(id: number, keyHex: string): string | undefined {
  try {
    const args = ['-j', 'map', 'lookup', 'id', String(id), 'key', 'hex', ...bytesOf(keyHex)];
    const text = execFileSync('bpftool', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const entry = JSON.parse(text) as { value?: string[]; values?: { value: string[] }[] } | null;
    const values = entry?.value ?? entry?.values?.flatMap(({ value }) => value);
    return values?.map((byte) => byte.slice(2)).join('');
  } catch {
    return undefined;
  }
}

/** The status, and the code of a refusal. */
export function outcomeOf({ status, body }: Response): string {
  return status < 300 ? String(status) : `${status} ${String(body.code)}`;
}

function bytesOf(hex: string): string[] {
  return hex.match(/../g) ?? [];
}
