import assert from 'node:assert/strict';
import test from 'node:test';
import { testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { bpftool, createMap, lookupEntry, updateEntry } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';

test('links, BTF objects and why a program or a link lives are told as bpftool sees them', async () => {
  using holder = await hold('prog:raw_tracepoint:pf_kinds', 'link:raw_tp:0:task_rename');
  const [program, link] = holder.objects;
  await using at = await testAgent();
  const links = await at.local.get('/v1/links?fresh=true&limit=5000').expect(200);
  assertDeclared('GET', '/v1/links', links);
  const found = links.body.items.find(({ id }: { id: number }) => id === link?.id);
  const shown = bpftool<{ readonly prog_id: number }>('link', 'show', 'id', String(link?.id));
  assert.deepEqual([found.type, found.prog_id], ['raw_tracepoint', shown.prog_id]);
  assert.equal(shown.prog_id, program?.id);

  const btfs = await at.local.get('/v1/btfs?limit=5000').expect(200);
  assertDeclared('GET', '/v1/btfs', btfs);
  const named = btfs.body.items.find(({ name }: { name?: string }) => name === 'vmlinux');
  const [vmlinux] = bpftool<{ id: number; name?: string }[]>('btf', 'show').filter(
    ({ name }) => name === 'vmlinux',
  );
  assert.equal(named.id, vmlinux?.id);

  const ofProgram = await at.local.get(`/v1/programs/${program?.id}/why`).expect(200);
  assertDeclared('GET', '/v1/programs/{id}/why', ofProgram);
  const ofLink = await at.local.get(`/v1/links/${link?.id}/why`).expect(200);
  assertDeclared('GET', '/v1/links/{id}/why', ofLink);
  assert.match(JSON.stringify(ofLink.body), new RegExp(`\\b${holder.pid}\\b`), 'its holder is named');
});

test('types of a map without BTF are said to be missing, and an entry goes by its typed key', async () => {
  await using at = await testAgent();
  const path = `${at.bpffs.path}/kinds`;
  const { id, bytes_value: size } = createMap(path, { name: 'pf_kinds' });
  const types = await at.local.get(`/v1/maps/${id}/types`).expect(200);
  assertDeclared('GET', '/v1/maps/{id}/types', types);
  assert.match(types.body.missing, /without types/);
  const key = Uint8Array.from([7, 0, 0, 0]);
  updateEntry(path, key, new Uint8Array(size).fill(1));
  const gone = await at.local.delete(`/v1/maps/${id}/entry?key=7&key_as=u32`);
  assertDeclared('DELETE', '/v1/maps/{id}/entry', gone);
  assert.deepEqual([gone.status, lookupEntry(path, key)], [204, undefined], gone.text);
});
