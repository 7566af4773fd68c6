import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { after, before, test } from 'node:test';
import { ImageBudget } from '../../src/agent/reads/image-budget.ts';
import { loadProgram } from '../../src/kernel/bpf/create.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { listPrograms } from '../support/bpftool.ts';
import { dumpXlated } from '../support/programs.ts';

let agent: TestAgent;

before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

/** A socket filter of so many instructions, which set r0 one after the other. */
function large(name: string, count: number): { readonly id: number } & Disposable {
  const instructions = Buffer.alloc(8 * count);
  for (let index = 0; index < count - 1; index++) {
    instructions[8 * index] = 0xb7;
    instructions.writeInt32LE(index, 8 * index + 4);
  }
  instructions[8 * (count - 1)] = 0x95;
  const spec = { type: 1, name, instructions, expectedAttachType: 0, attachBtfId: 0 };
  const fd = loadProgram(spec, agent.running.kernel);
  const id = listPrograms().findLast((program) => program.name === name)?.id;
  assert.ok(id !== undefined);
  return { id, [Symbol.dispose]: () => fd[Symbol.dispose]() };
}

/** The whole answer, and how often the event loop turned until it was there. */
async function textWithTurns(id: number): Promise<{ readonly text: string; readonly turns: number }> {
  let turns = 0;
  let isDone = false;
  const turn = (): void => {
    turns++;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const answer = await agent.local.get(`/v1/programs/${id}/instructions`).query({ format: 'text' });
  isDone = true;
  assert.equal(answer.status, 200);
  return { text: answer.text, turns };
}

test('half a million instructions are given whole, and the event loop turns all the time', async () => {
  using program = large('pf_large', 524_288);
  const { text, turns } = await textWithTurns(program.id);
  assert.ok(text === dumpXlated(program.id), 'as bpftool prints them');
  assert.ok(turns >= 16, `only ${turns} turns`);
});

test('of more the kernel shows none, and that is said', async () => {
  using program = large('pf_larger', 524_289);
  const { body } = await agent.local.get(`/v1/programs/${program.id}/instructions`).expect(503);
  assert.equal(body.code, 'out_of_memory');
  assert.match(body.detail, /never/);
});

test('programs for slow readers are bounded together, and a reader that goes makes room', async () => {
  const perReader = 500_000 * 8;
  const budget = new ImageBudget();
  const readers = Array.from({ length: Math.floor(limits.programImageBytesMax / perReader) }, () =>
    budget.take(perReader),
  );
  const rest = limits.programImageBytesMax - readers.length * perReader;
  using _rest = budget.take(rest);
  assert.throws(
    () => budget.take(1),
    (error) => isPinfoldError(error, 'too_many_requests'),
  );
  readers[0]?.[Symbol.dispose]();
  readers[0]?.[Symbol.dispose]();
  assert.throws(
    () => budget.take(perReader + 1),
    (error) => isPinfoldError(error, 'too_many_requests'),
  );
  budget.take(perReader)[Symbol.dispose]();
  for (const reader of readers) reader[Symbol.dispose]();
});

test('one program may be larger than all together, where there is no other', () => {
  using _one = new ImageBudget().take(limits.programImageBytesMax + 1);
});

test('readers who leave in the middle leave nothing behind', async () => {
  using program = large('pf_left', 400_000);
  const path = `/v1/programs/${program.id}/instructions?format=json`;
  // More in turn than fit at one time: if one kept its room, the last were refused.
  const rounds = Math.ceil(limits.programImageBytesMax / (400_000 * 8)) + 2;
  for (let round = 0; round < rounds; round++) {
    const response = await new Promise<IncomingMessage>((resolve, reject) =>
      get({ socketPath: agent.socket, path }, resolve).on('error', reject),
    );
    assert.equal(response.statusCode, 200, `round ${round}`);
    await new Promise((resolve) => response.once('data', resolve));
    response.destroy();
    await new Promise((resolve) => response.once('close', resolve));
  }
});
