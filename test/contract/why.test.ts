import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { isPrintable } from '../../src/model/escape.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { compileC } from '../support/c-program.ts';
import { commandLine } from '../support/command-line.ts';
import { hold } from '../support/hold.ts';
import { start } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

async function why(plural: string, id: number | undefined) {
  const answer = await agent.local.get(`/v1/${plural}/${id}/why`).expect(200);
  assertDeclared('GET', `/v1/${plural}/{id}/why`, answer);
  return answer.body;
}

async function pinfold(...words: readonly string[]) {
  return await commandLine([...words, '--address', agent.socket]);
}

function at(name: string): string {
  return join(agent.bpffs.path, name);
}

test('what is said of a pin’s removal is what that is refused for, and then what happens', async () => {
  using holder = await hold(
    'map:hash:4:8:16:pf_last:0',
    `pin:0:${at('last')}`,
    'map:prog_array:4:4:4:pf_jumps:0',
    `pin:1:${at('jumps')}`,
    'prog:sched_cls:pf_jumper:1',
    'prog:raw_tracepoint:pf_traced',
    'link:raw_tp:3:task_rename',
    `pin:4:${at('traced')}`,
    `pin:2:${at('jumper')}`,
  );
  const [map, jumps, jumper, traced, link] = holder.objects;
  await holder.release();
  const pinned = [
    { name: 'last', plural: 'maps', id: map?.id, freed: [map?.id] },
    { name: 'jumps', plural: 'maps', id: jumps?.id, freed: [] },
    { name: 'traced', plural: 'links', id: link?.id, freed: [link?.id] },
  ];
  for (const { name, plural, id, freed } of pinned) {
    await untilPasses(async () => {
      const told = (await why(plural, id)).if_unpinned.find(({ path }: { path: string }) => path === name);
      assert.deepEqual(
        told.freed.map((one: { id: number }) => one.id),
        freed,
        name,
      );
      const refused = await agent.local.delete(`/v1/pins/${name}`).expect(409);
      assert.deepEqual(told.hazards, refused.body.hazards, name);
    });
  }
  const ofProgram = await why('programs', traced?.id);
  assert.match(
    ofProgram.sentences.join('\n'),
    /If you unpin traced, link \d+ of type \S+ is detached and program \d+ `pf_traced` is freed/,
  );
  await agent.local.delete('/v1/pins/traced?accept=last_reference,link_detached').expect(204);
  await untilPasses(async () => {
    await agent.local.get(`/v1/programs/${traced?.id}`).expect(404);
  });
  await agent.local.delete('/v1/pins/jumper?accept=last_reference').expect(204);
  await untilPasses(async () => {
    assert.deepEqual((await why('maps', jumps?.id)).if_unpinned[0].hazards, [
      'last_reference',
      'prog_array_emptied',
    ]);
    await agent.local.get(`/v1/programs/${jumper?.id}`).expect(404);
  });
});

test('the sentences are given as text to who asks for text', async () => {
  using holder = await hold('map:hash:4:8:16:pf_text:0', `pin:0:${at('text')}`);
  const id = holder.objects[0]?.id;
  const answer = await agent.local.get(`/v1/maps/${id}/why`).set('Accept', 'text/plain').expect(200);
  assert.match(String(answer.headers['content-type']), /^text\/plain; charset=utf-8/);
  assert.match(answer.text, /^map \d+ `pf_text` is alive because pin text and fd \d+ of pid \d+ `hold`.*\n$/);
  await agent.local.get(`/v1/maps/${id}/why`).set('Accept', 'text/html').expect(406);
});

test('names of processes and pins cannot forge sentences or move a terminal’s cursor', async () => {
  using dir = tempDir('hostile');
  const name = 'x` (root\u001b[2K';
  symlinkSync(compileC('hold'), join(dir.path, name));
  using child = start(join(dir.path, name), [
    'map:hash:4:8:16:pf_hostile:0',
    `pin:0:${at('a, pin b\u001b[1A`')}`,
  ]);
  await child.line(/^ready$/);
  const { id } = JSON.parse(child.lines[0] ?? '');
  const { sentences } = await why('maps', id);
  for (const sentence of sentences) assert.ok(isPrintable(sentence.replaceAll('\\', '')), sentence);
  assert.match(sentences[0], /pid \d+ `x\\x60 \(root\\x1b\[2K`/);
  assert.match(sentences[0], /pin `a, pin b\\x1b\[1A\\x60`/);
  const { code, out } = await pinfold('why', 'map', String(id));
  assert.equal(code, 0);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none gets through is what is tested
  assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f]/);
});

test('the command line says why, with a tree and what the kernel counts', async () => {
  using holder = await hold('map:hash:4:8:16:pf_tree:0', `pin:0:${at('tree')}`, 'prog:sched_cls:pf_branch:0');
  const [map, program] = holder.objects;
  for (const words of [
    ['map', String(map?.id)],
    ['map', `map:${map?.id}`],
    ['map', 'pf_tree'],
    ['map', 'tree'],
    ['tree'],
  ]) {
    const { code, out, err } = await pinfold('why', ...words);
    assert.equal(code, 0, err);
    const lines = out.trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^map \d+ `pf_tree` is alive because pin tree, program \d+ `pf_branch`/);
    assert.ok(lines.includes(`map ${map?.id} hash pf_tree`), out);
    assert.ok(
      lines.some((line) => line.includes(`-- program ${program?.id} sched_cls pf_branch`)),
      out,
    );
    assert.ok(
      lines.some((line) => line.includes(`-- pid ${holder.pid} hold`)),
      out,
    );
    assert.equal(lines.at(-1), 'The kernel counts 3 references, 0 unexplained.');
  }
  const document = JSON.parse((await pinfold('why', 'program', String(program?.id), '-o', 'json')).out);
  assert.equal(document.object.id, program?.id);
  assert.match(
    (await pinfold('why', 'program', `program:${program?.id}`)).out,
    /of a program they are not one for each holder/,
  );
});

test('the command line refuses what it cannot mean', async () => {
  using holder = await hold('map:hash:4:8:16:pf_only_map:0', `pin:0:${at('only-map')}`);
  assert.ok(holder.pid > 0);
  assert.equal((await pinfold('why', 'link', 'only-map')).code, 2);
  assert.equal((await pinfold('why', 'btf', '1')).code, 2);
  assert.equal((await pinfold('why', 'nothing-here')).code, 3);
  assert.equal((await pinfold('why', 'link', '2147483000')).code, 3);
});
