import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { type Bpffs, mountBpffs } from '../support/bpffs.ts';
import { createMap, pinnedMap } from '../support/bpftool.ts';
import { type Holder, hold } from '../support/hold.ts';

/**
 * What is asked, and status, code and errno of the refusal; no errno where no call of the change's own has
 * failed, because looking first has told it.
 */
interface Row {
  readonly what: string;
  readonly method: 'get' | 'put' | 'patch' | 'delete';
  readonly url: string;
  readonly body?: object;
  readonly refused: readonly [status: number, code: string, errno?: string];
}

let bpffs: Bpffs;
let holder: Holder;
let at: TestAgent;

before(async () => {
  bpffs = mountBpffs();
  holder = await hold('map:hash:4:8:16:pf_rows:0');
  const root = bpffs.path;
  createMap(`${root}/taken`, { name: 'pf_taken' });
  mkdirSync(`${root}/dir/full`, { recursive: true });
  symlinkSync('nowhere', `${root}/dangling`);
  symlinkSync('loop', `${root}/loop`);
  symlinkSync('dir', `${root}/way`);
  at = await testAgent({ bpffs });
});
after(async () => {
  await at[Symbol.asyncDispose]();
  holder[Symbol.dispose]();
  bpffs[Symbol.dispose]();
});

const long = 'n'.repeat(256);

/** The rows of a table whose body is the map of the holder. */
function pinning(rows: readonly (readonly [what: string, path: string, refused: Row['refused']])[]): Row[] {
  const source = { kind: 'map', id: holder.objects[0]?.id };
  return rows.map(([what, path, refused]) => ({
    what,
    method: 'put',
    url: `/v1/pins/${path}`,
    body: { source },
    refused,
  }));
}

/** Each request is refused as its row says, in a declared answer. */
async function assertRefused(rows: readonly Row[]): Promise<void> {
  const got: object[] = [];
  for (const { what, method, url, body } of rows) {
    const answer = await at.local[method](url).send(body);
    const template = url.startsWith('/v1/pins/') ? '/v1/pins/{path}' : '/v1/directories/{path}';
    assertDeclared(method.toUpperCase(), template, answer);
    const { status, code, errno } = answer.body;
    assert.equal(answer.status, status, what);
    got.push({ what, refused: errno === undefined ? [status, code] : [status, code, errno] });
  }
  assert.deepEqual(
    got,
    rows.map(({ what, refused }) => ({ what, refused })),
  );
}

test('BPF_OBJ_PIN: what the kernel refuses is answered with its status, code and errno', async () => {
  await assertRefused(
    pinning([
      ['a pin is there', 'taken', [409, 'pin_exists', 'EEXIST']],
      ['a directory is there', 'dir', [409, 'is_a_directory']],
      ['a symbolic link is there, even a dangling one', 'dangling', [409, 'symlink', 'ELOOP']],
      ['a dot in the name', 'x.y', [422, 'bad_path', 'EPERM']],
      ['a dot before the name', '.hidden', [422, 'bad_path', 'EPERM']],
      ['no such parent', 'none/new', [404, 'parent_not_found', 'ENOENT']],
      ['a slash at the end', 'new/', [422, 'bad_path']],
      ['no path at all', '', [422, 'bad_path']],
      ['the parent is a pin', 'taken/new', [409, 'not_a_directory', 'ENOTDIR']],
      ['a name of 256 bytes', long, [422, 'bad_path', 'ENAMETOOLONG']],
    ]),
  );
});

test('BPF_OBJ_PIN: what is no map, program or link of the kernel is not pinned', async () => {
  const source = (fd: number): object => ({ source: { pid: holder.pid, fd } });
  const put = { method: 'put', url: '/v1/pins/new' } as const;
  await assertRefused([
    { ...put, what: 'a pipe', body: source(0), refused: [422, 'not_pinnable'] },
    { ...put, what: 'a closed descriptor', body: source(999), refused: [404, 'source_not_found', 'EBADF'] },
  ]);
});

test('BPF_OBJ_PIN: every other byte is accepted, up to 255 of them', async () => {
  const source = { kind: 'map', id: holder.objects[0]?.id };
  for (const name of ['a%0Ab', '%01', 'a%20b', '*', '%5C', '%FF', 'n'.repeat(255)]) {
    const made = await at.local.put(`/v1/pins/${name}`).send({ source });
    assert.equal(made.status, 201, `${name}: ${made.text}`);
  }
  assert.equal(pinnedMap(`${bpffs.path}/${'n'.repeat(255)}`).id, holder.objects[0]?.id);
});

test('BPF_OBJ_GET: what the kernel refuses is answered with its status, code and errno', async () => {
  const get = (what: string, path: string, refused: Row['refused']): Row => ({
    what,
    method: 'get',
    url: `/v1/pins/${path}`,
    refused,
  });
  await assertRefused([
    get('no such name', 'none', [404, 'pin_not_found', 'ENOENT']),
    get('no such name, with a dot', 'no.ne', [422, 'bad_path', 'EPERM']),
    get('a directory', 'dir', [409, 'is_a_directory']),
    get('through a pin', 'taken/below', [409, 'not_a_directory', 'ENOTDIR']),
    get('a loop of symbolic links', 'loop', [409, 'symlink', 'ELOOP']),
    get('through a symbolic link', 'way/full', [409, 'symlink', 'ELOOP']),
  ]);
});

test('directories: what the kernel refuses is answered with its status, code and errno', async () => {
  const at = (what: string, method: 'put' | 'delete', path: string, refused: Row['refused']): Row => ({
    what,
    method,
    url: `/v1/directories/${path}`,
    ...(method === 'put' ? { body: {} } : {}),
    refused,
  });
  await assertRefused([
    at('a pin is there', 'put', 'taken', [409, 'not_a_directory']),
    at('a dot in the name', 'put', 'd.d', [422, 'bad_path', 'EPERM']),
    at('no such parent', 'put', 'none/new', [404, 'parent_not_found', 'ENOENT']),
    at('names in it', 'delete', 'dir', [409, 'directory_not_empty', 'ENOTEMPTY']),
    at('a pin is no directory', 'delete', 'taken', [409, 'not_a_directory']),
    at('no such directory', 'delete', 'none', [404, 'directory_not_found', 'ENOENT']),
  ]);
});

test('a rename never clobbers what is there, and goes nowhere that is not there', async () => {
  const move = (what: string, path: string, refused: Row['refused']): Row => ({
    what,
    method: 'patch',
    url: '/v1/pins/taken',
    body: { path },
    refused,
  });
  createMap(`${bpffs.path}/other`, { name: 'pf_other' });
  await assertRefused([
    move('over another pin', 'other', [409, 'pin_exists', 'EEXIST']),
    move('over a directory', 'dir', [409, 'is_a_directory']),
    move('to a parent that is not there', 'none/new', [404, 'parent_not_found', 'ENOENT']),
    move('below a pin', 'other/new', [409, 'not_a_directory', 'ENOTDIR']),
  ]);
});

test('on a read-only bpffs every change is refused and reading goes on', async () => {
  execFileSync('mount', ['-o', 'remount,ro', bpffs.path]);
  try {
    await assertRefused([
      ...pinning([
        ['a fresh name', 'fresh', [409, 'read_only', 'EROFS']],
        ['another object’s name', 'taken', [409, 'read_only', 'EROFS']],
      ]),
      {
        what: 'mkdir',
        method: 'put',
        url: '/v1/directories/fresh',
        body: {},
        refused: [409, 'read_only', 'EROFS'],
      },
    ]);
    await at.local.get('/v1/pins/taken').expect(200);
  } finally {
    execFileSync('mount', ['-o', 'remount,rw', bpffs.path]);
  }
});
