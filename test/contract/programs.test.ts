import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { after, before, test } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { bpftool, createMap, pinnedProgram } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { dumpXlated, type LoadedProgram, loadPrograms } from '../support/programs.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

let agent: TestAgent;
let programs: readonly LoadedProgram[];

before(async () => {
  agent = await testAgent();
  programs = loadPrograms('prog-calls', `${agent.bpffs.path}/calls`);
});
after(async () => await agent[Symbol.asyncDispose]());

interface Listed {
  readonly value?: string;
  readonly map_id?: number;
  readonly helper?: string;
  readonly source?: { readonly file: string; readonly text: string };
}

const template = '/v1/programs/{id}/instructions';

function named(name: string): LoadedProgram {
  const program = programs.find((each) => each.name === name);
  assert.ok(program);
  return program;
}

function urlOf(name: string): string {
  return `/v1/programs/${named(name).id}/instructions`;
}

test('instructions as text are what bpftool prints', async () => {
  // Two have per-CPU addresses, which bpftool 7.1 does not know (test/kernel/programs.test.ts).
  for (const { name, id } of programs.filter(({ name }) => name !== 'pf_per_cpu' && name !== 'pf_maps')) {
    const answer = await agent.local.get(urlOf(name)).query({ format: 'text' }).expect(200);
    assert.equal(answer.text, dumpXlated(id));
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
    assertDeclared('GET', template, answer);
  }
  const url = urlOf('pf_subprogs');
  const { id } = named('pf_subprogs');
  const linum = await agent.local.get(url).query({ format: 'text', linum: true }).expect(200);
  assert.equal(linum.text, dumpXlated(id, 'linum'));
  const opcodes = await agent.local.get(url).query({ opcodes: true }).accept('text/plain').expect(200);
  assert.equal(opcodes.text, dumpXlated(id, 'opcodes'));
});

test('instructions as JSON say what each refers to', async () => {
  const answer = await agent.local.get(urlOf('pf_values')).expect(200);
  assertDeclared('GET', template, answer);
  const { instructions, ...head } = answer.body;
  const shown = pinnedProgram(named('pf_values').path);
  assert.equal(head.tag, shown.tag);
  assert.equal(head.bytes, shown.bytes_xlated);
  assert.equal(head.functions[0].signature, 'int pf_values(struct xdp_md * ctx)');
  const constant = instructions.find(({ value }: Listed) => value === '0x123456789abcdef0');
  assert.equal(constant.opcode, 0x18);
  const maps: number[] = instructions.flatMap(({ map_id }: Listed) => map_id ?? []);
  assert.deepEqual([...new Set(maps)].sort(), [...(shown.map_ids ?? [])].sort());
  const call = instructions.find(({ helper }: Listed) => helper !== undefined);
  assert.equal(call.helper, 'bpf_trace_printk');
  const line = instructions.find(({ source }: Listed) => source?.text.startsWith('bpf_printk('));
  assert.match(line.source.file, /prog-calls\.bpf\.c$/);
});

test('instructions and machine code come as bytes', async () => {
  using dir = tempDir('xlated');
  const { id } = named('pf_subprogs');
  execFileSync('bpftool', ['prog', 'dump', 'xlated', 'id', String(id), 'file', `${dir.path}/bytes`]);
  const url = urlOf('pf_subprogs');
  const raw = await agent.local.get(url).query({ format: 'raw' }).expect(200);
  assert.deepEqual(raw.body, readFileSync(`${dir.path}/bytes`));
  assert.equal(raw.headers['content-type'], 'application/octet-stream');

  const code = await agent.local.get(url).query({ format: 'raw', image: 'jited' }).expect(200);
  const { body } = await agent.local.get(url).query({ image: 'jited' }).expect(200);
  assert.equal(body.bytes, code.body.length);
  assert.equal(body.functions.length, 4);
  const symbols = readFileSync('/proc/kallsyms', 'utf8');
  for (const { address, symbol } of body.functions) {
    assert.ok(symbols.includes(`\n${address.slice(2)} t ${symbol}\t`), symbol);
  }
  const text = await agent.local.get(url).query({ format: 'text', image: 'jited' }).expect(422);
  assert.equal(text.body.code, 'invalid_input');
});

test('what is asked for wrongly is refused, each in its own way', async () => {
  const url = urlOf('pf_tail');
  await agent.local.get(url).query({ format: 'asm' }).expect(422);
  await agent.local.get(url).query({ format: 'text' }).accept('application/json').expect(406);
  await agent.local.get(url).accept('image/png').expect(406);
  const gone = await agent.local.get('/v1/programs/4294967295/instructions').expect(404);
  assert.equal(gone.body.code, 'object_not_found');
});

test('a viewer sees what a program is, a reader also what it does', async () => {
  const [viewer, reader] = [await agent.token('viewer'), await agent.token('reader')];
  await agent.remote(viewer).get(urlOf('pf_tail')).expect(403);
  await agent
    .remote(viewer)
    .get(`/v1/programs/${named('pf_tail').id}`)
    .expect(200);
  await agent.remote(reader).get(urlOf('pf_tail')).expect(200);
});

/** Descriptors of ours by which the kernel is asked to measure. */
function measuring(): number {
  return readdirSync('/proc/self/fd').filter((fd) => isMeasuring(`/proc/self/fd/${fd}`)).length;
}

function isMeasuring(path: string): boolean {
  try {
    return readlinkSync(path) === 'anon_inode:bpf-stats';
  } catch {
    return false;
  }
}

function run(id: number, times: number): void {
  using dir = tempDir('packet');
  writeFileSync(`${dir.path}/packet`, Buffer.alloc(64));
  const args = ['data_in', `${dir.path}/packet`, 'repeat', String(times)];
  bpftool('prog', 'run', 'id', String(id), ...args);
}

test('run statistics are measured while a request asks for them, and no longer', async () => {
  const { id } = named('pf_subprogs');
  assert.equal(measuring(), 0);
  const asked = agent.local.get(`/v1/programs/${id}`).query({ statistics: '1500ms' });
  const pending = asked.then((answer) => answer);
  await until('the kernel to measure', measuring, (count) => count === 1);
  run(id, 250);
  const answer = await pending;
  assert.equal(answer.status, 200);
  assertDeclared('GET', '/v1/programs/{id}', answer);
  const { run_cnt, run_time_ns, duration_ms } = answer.body.statistics;
  assert.equal(run_cnt, 250);
  assert.ok(run_time_ns > 0 && duration_ms >= 1500);
  assert.equal(bpftool<{ run_cnt: number }>('prog', 'show', 'id', String(id)).run_cnt, answer.body.run_cnt);
  assert.equal(measuring(), 0);
  const plain = await agent.local.get(`/v1/programs/${id}`).expect(200);
  assert.equal(plain.body.statistics, undefined);
});

test('the measurement ends with its caller', async () => {
  const { id } = named('pf_tail');
  const request = get({ socketPath: agent.socket, path: `/v1/programs/${id}?statistics=30s` });
  request.on('error', () => undefined);
  await until('the kernel to measure', measuring, (count) => count === 1);
  request.destroy();
  await until('the kernel to stop', measuring, (count) => count === 0, { timeoutMs: 30_000 });
});

test('a time for statistics that is too long, or none, is refused', async () => {
  const url = `/v1/programs/${named('pf_tail').id}`;
  for (const statistics of ['31s', '0s', '5', 'soon', '']) {
    const { body } = await agent.local.get(url).query({ statistics }).expect(422);
    assert.equal(body.errors[0].pointer, '/query/statistics');
  }
  await agent.local.get('/v1/programs/4294967295').query({ statistics: '1s' }).expect(404);
  assert.equal(measuring(), 0);
});

test('with --program-stats the kernel measures as long as the agent runs', async () => {
  const other = await testAgent({ settings: { 'program-stats': true } });
  try {
    assert.equal(measuring(), 1);
  } finally {
    await other[Symbol.asyncDispose]();
  }
  assert.equal(measuring(), 0);
});

test('the command line prints instructions by id and by pin, as text and as a document', async () => {
  const { id, path } = named('pf_tail');
  const pinfold = (...words: readonly string[]) => commandLine([...words, '--address', agent.socket]);
  const byId = await pinfold('instructions', `program:${id}`);
  assert.deepEqual([byId.code, byId.out], [0, dumpXlated(id)]);
  const byPin = await pinfold('instructions', path.slice(agent.bpffs.path.length + 1), '--linum');
  assert.equal(byPin.out, dumpXlated(id, 'linum'));
  const document = await pinfold('instructions', String(id), '-o', 'json');
  assert.equal(JSON.parse(document.out).instructions.length, byId.out.match(/^ *\d+: /gm)?.length);
  createMap(`${agent.bpffs.path}/pf_no_program`);
  const refused = await pinfold('instructions', 'pf_no_program');
  assert.deepEqual(
    [refused.code, refused.err.split('\n')[0]],
    [2, 'pinfold: pf_no_program holds no program.'],
  );
});

test('nothing is left open on any object', () => {
  assert.deepEqual(agent.running.kernel.fds.transient(), []);
});
