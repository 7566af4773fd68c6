import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import type { ObjectDocument } from '../../src/model/schema/object.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { type Bpffs, mountBpffs } from '../support/bpffs.ts';
import { bpftool } from '../support/bpftool.ts';
import {
  assertBtfAgrees,
  assertLinkAgrees,
  assertMapAgrees,
  assertProgramAgrees,
  type Shown,
} from '../support/bpftool-fields.ts';
import { type MadeObject, makeObjects, type ObjectZoo } from '../support/make-objects.ts';

let bpffs: Bpffs;
let zoo: ObjectZoo;
let at: TestAgent;

before(async () => {
  bpffs = mountBpffs();
  zoo = await makeObjects(bpffs.path);
  at = await testAgent({ bpffs });
});
after(async () => {
  await at[Symbol.asyncDispose]();
  zoo[Symbol.dispose]();
  bpffs[Symbol.dispose]();
});

/** What bpftool shows; it gives up where an object of somebody else's goes while it lists. */
function listed(...args: readonly string[]): readonly Shown[] {
  for (let attempt = 1; ; attempt++) {
    try {
      return bpftool<Shown[]>(...args);
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

/** A whole list of the API, page after page, by id. */
async function served(plural: string): Promise<ReadonlyMap<number, ObjectDocument>> {
  const items: ObjectDocument[] = [];
  let cursor = '';
  do {
    const { body } = await at.local.get(`/v1/${plural}?limit=5000${cursor}`).expect(200);
    items.push(...body.items);
    cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
  } while (cursor !== '');
  return new Map(items.map((item) => [item.id, item]));
}

/** Where the API says that an object is pinned in the mount of this test, as absolute paths. */
function pinsOf({ pins }: ObjectDocument): readonly string[] {
  const ours = pins.filter(({ mount }) => mount === at.mount);
  return ours.map(({ path }) => `${bpffs.path}/${path}`).sort();
}

/** The paths bpftool has found in the mount of this test. */
function pinnedOf(shown: Shown): readonly string[] {
  const pinned: unknown = shown['pinned'] ?? [];
  assert.ok(Array.isArray(pinned));
  return pinned.filter((path) => String(path).startsWith(`${bpffs.path}/`)).sort();
}

const kinds = [
  { kind: 'map', plural: 'maps', word: 'map', types: 25 },
  { kind: 'program', plural: 'programs', word: 'prog', types: 12 },
  { kind: 'link', plural: 'links', word: 'link', types: 6 },
] as const;

for (const { kind, plural, word, types } of kinds) {
  test(`${plural} of at least ${types} types agree with bpftool in every field and pin`, async () => {
    const made = new Map(zoo.made.filter((each) => each.kind === kind).map((each) => [each.id, each]));
    const shown = listed('-f', word, 'show').filter(({ id }) => made.has(id));
    const documents = await served(plural);
    for (const each of shown) assertAgrees(documents.get(each.id), each, made.get(each.id));
    assert.equal(shown.length, made.size, `bpftool shows every ${kind} that was made`);
    assert.ok(new Set([...made.values()].map(({ type }) => type)).size >= types);
  });
}

/** One object is described by the API as bpftool describes it, and as it was made. */
function assertAgrees(
  document: ObjectDocument | undefined,
  shown: Shown,
  made: MadeObject | undefined,
): void {
  assert.ok(document !== undefined, `${made?.name} is served`);
  if (document.kind === 'map') assertMapAgrees(document, shown);
  if (document.kind === 'program') assertProgramAgrees(document, shown);
  if (document.kind === 'link') assertLinkAgrees(document, shown);
  assert.equal(document.type, made?.type);
  assert.deepEqual(pinsOf(document), pinnedOf(shown), document.type);
  assert.deepEqual(pinsOf(document), made?.path === undefined ? [] : [made.path]);
}

test('BTF objects agree with bpftool in every field both have', async () => {
  const made = new Set(zoo.made.filter(({ kind }) => kind === 'map').map(({ id }) => id));
  const isOurs = ({ name, map_ids: users }: Shown): boolean =>
    name === 'vmlinux' || (Array.isArray(users) && users.some((id) => made.has(id)));
  const shown = listed('btf', 'show').filter(isOurs);
  const documents = await served('btfs');
  assert.ok(shown.length >= 2);
  for (const each of shown) {
    const document = documents.get(each.id);
    assert.ok(document?.kind === 'btf', `BTF ${each.id} is served`);
    assertBtfAgrees(document, each);
  }
});
