import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { after, before, test } from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { bpftool, pinnedProgram } from '../support/bpftool.ts';
import { processorMs } from '../support/processor-time.ts';
import { loadPrograms } from '../support/programs.ts';
import { untilPasses } from '../support/until.ts';

let agent: TestAgent;
let ofProgram: number;
let ofKernel: number;

before(async () => {
  agent = await testAgent();
  const [program] = loadPrograms('prog-calls', `${agent.bpffs.path}/calls`);
  ofProgram = pinnedProgram(program?.path ?? '').btf_id ?? 0;
  const all = bpftool<readonly { readonly id: number; readonly name?: string }[]>('btf', 'show');
  ofKernel = all.find(({ name }) => name === 'vmlinux')?.id ?? 0;
});
after(async () => await agent[Symbol.asyncDispose]());

const template = '/v1/btfs/{id}';

test('without a format it is the object, with one it is what the object says', async () => {
  const plain = await agent.local.get(`/v1/btfs/${ofProgram}`).expect(200);
  assert.equal(plain.body.kind, 'btf');
  assertDeclared('GET', template, plain);
  const json = await agent.local.get(`/v1/btfs/${ofProgram}`).query({ format: 'json' }).expect(200);
  assertDeclared('GET', template, json);
  assert.deepEqual(json.body, bpftool('btf', 'dump', 'id', String(ofProgram)));
});

test('a program’s types are a header in C that a compiler takes', async () => {
  const { text } = await agent.local.get(`/v1/btfs/${ofProgram}`).query({ format: 'c' }).expect(200);
  assert.match(text, /struct pf_sample \{\n\t__u64 when;\n\tconst char \*name;\n\};/);
  execFileSync('clang', ['-target', 'bpf', '-fsyntax-only', '-x', 'c', '-'], { input: text });
});

test('the kernel’s own types are given whole, with the bytes of /sys/kernel/btf', async () => {
  const url = `/v1/btfs/${ofKernel}`;
  const raw = await agent.local.get(url).query({ format: 'raw' }).expect(200);
  assert.ok(readFileSync('/sys/kernel/btf/vmlinux').equals(raw.body));
  const json = await agent.local.get(url).query({ format: 'json' }).expect(200);
  const shown = bpftool<{ readonly types: readonly unknown[] }>('btf', 'dump', 'id', String(ofKernel));
  assert.equal(json.body.types.length, shown.types.length);
});

test('the kernel’s types are written by a thread, and hardly any of it is work of the main one', async () => {
  const path = `/v1/btfs/${ofKernel}?format=c`;
  // The main thread observes meanwhile, too, and that takes as much as there is to see.
  await untilPasses(async () => {
    const before = [mainThreadMs(), processorMs()];
    const answer = await fetchBytes(path);
    const [main = 0, all = 0] = [mainThreadMs(), processorMs()].map((ms, index) => ms - (before[index] ?? 0));
    assert.match(answer.toString(), /struct task_struct \{/);
    assert.ok(main < all / 2, `${main} ms of ${all}`);
  });
});

test('types have the places of dumps: a ninth reader is 429 until one of the others has gone', async () => {
  const path = `/v1/btfs/${ofKernel}?format=json`;
  const open = await Promise.all(Array.from({ length: limits.dumpsMax }, () => firstByteOf(path)));
  const refused = await agent.local.get(path);
  assert.deepEqual([refused.status, refused.body.limit], [429, 'dumps']);
  for (const sent of open) sent.destroy();
  await untilPasses(async () => assert.ok((await fetchBytes(path)).length > 1_000_000));
  assert.deepEqual(agent.running.kernel.fds.transient(), []);
});

/** Processor time of the thread that answers, in milliseconds (/proc/pid/task/tid/schedstat). */
function mainThreadMs(): number {
  const [ns] = readFileSync(`/proc/${process.pid}/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return Number(ns) / 1e6;
}

/** Asks for something, and reads no more than its beginning. */
function firstByteOf(path: string): Promise<ClientRequest> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: agent.socket, path, agent: false });
    sent.on('error', reject);
    sent.on('response', (response) => {
      assert.equal(response.statusCode, 200);
      response.on('error', () => undefined);
      response.once('readable', () => resolve(sent));
    });
    sent.end();
  });
}

/** The whole of an answer. @throws where it is a refusal */
function fetchBytes(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: agent.socket, path, agent: false });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`${path}: ${response.statusCode}`));
      });
    });
    sent.end();
  });
}

test('types need the role reader, and a media type that they can have', async () => {
  const [viewer, reader] = [await agent.token('viewer'), await agent.token('reader')];
  const url = `/v1/btfs/${ofProgram}`;
  await agent.remote(viewer).get(url).expect(200);
  const refused = await agent.remote(viewer).get(url).query({ format: 'c' }).expect(403);
  assert.equal(refused.body.code, 'forbidden');
  await agent.remote(reader).get(url).query({ format: 'c' }).expect(200);
  await agent.local.get(url).query({ format: 'c' }).accept('application/json').expect(406);
  await agent.local.get(url).query({ format: 'rust' }).expect(422);
  await agent.local.get(url).accept('text/plain').expect(406);
  await agent.local.get('/v1/btfs/4294967295').query({ format: 'raw' }).expect(404);
});

test('nothing is left open on any object', () => {
  assert.deepEqual(agent.running.kernel.fds.transient(), []);
});
