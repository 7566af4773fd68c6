import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import test from 'node:test';
import { stagingName } from '../../src/model/path.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { bootId, deviceOf, leavingNothingOpen, refusalOf, subject } from './bpffs-fixture.ts';

const kernel = subject();

function statOf(path: string): string {
  return execFileSync('stat', ['-c', '%F %a %u', path], { encoding: 'utf8' }).trim();
}

test('it is made only when asked for, with mode 0700 whatever a bpffs lets others do', () => {
  using bpffs = mountBpffs();
  const path = `${bpffs.path}/${stagingName}`;
  leavingNothingOpen(kernel, () => {
    using root = kernel.rootAt(bpffs.path);
    assert.equal(kernel.bpffs.openStaging(root, false), undefined);
    assert.equal(execFileSync('find', [bpffs.path, '-name', 'pinfold*'], { encoding: 'utf8' }), '');
    using made = kernel.bpffs.openStaging(root, true);
    assert.equal(statOf(path), 'directory 700 0');
    using again = kernel.bpffs.openStaging(root, true);
    assert.equal(made && kernel.bpffs.stat(made).inode, again && kernel.bpffs.stat(again).inode);
    createMap(`${path}/entry`, { name: 'pf_staged' });
    assert.deepEqual(
      kernel.bpffs.readDirectory(again ?? assert.fail()).map(({ name }) => name),
      ['entry'],
    );
  });
});

test('the instance tells its marker, and a new mount in the same place is another instance', () => {
  using bpffs = mountBpffs();
  const device = deviceOf(bpffs.path);
  const inode = (): string =>
    execFileSync('stat', ['-c', '%i', `${bpffs.path}/${stagingName}`], { encoding: 'utf8' }).trim();
  let first: string;
  {
    using root = kernel.rootAt(bpffs.path);
    assert.equal(root.instance, `${bootId}/${device}/-`);
    using _staging = kernel.bpffs.openStaging(root, true);
    first = root.instance;
    assert.equal(first, `${bootId}/${device}/${inode()}`);
  }
  execFileSync('umount', [bpffs.path]);
  execFileSync('mount', ['-t', 'bpf', 'pf-bpffs', bpffs.path]);
  using root = kernel.rootAt(bpffs.path);
  assert.equal(root.instance, `${bootId}/${deviceOf(bpffs.path)}/-`);
  using _staging = kernel.bpffs.openStaging(root, true);
  assert.notEqual(root.instance, first);
});

/** What somebody else can have put there first, and what the refusal says of it. */
const planted: readonly (readonly [what: string, why: RegExp, plant: (path: string) => void])[] = [
  ['a symbolic link', /not a directory/, (path) => symlinkSync('/tmp', path)],
  [
    'a symbolic link to a safe directory',
    /not a directory/,
    (path) => {
      mkdirSync(`${path}-real`, { mode: 0o700 });
      symlinkSync(`${stagingName}-real`, path);
    },
  ],
  ['a pin', /not a directory/, (path) => void createMap(path, { name: 'pf_planted' })],
  [
    'a directory of another user',
    /belongs to user 65534/,
    (path) => {
      mkdirSync(path, { mode: 0o700 });
      execFileSync('chown', ['65534', path]);
    },
  ],
  [
    'a directory others may enter',
    /mode is 0711/,
    (path) => {
      mkdirSync(path);
      execFileSync('chmod', ['711', path]);
    },
  ],
  [
    'another file system',
    /mounted on it/,
    (path) => {
      mkdirSync(path, { mode: 0o700 });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=0700', 'pf-tmpfs', path]);
    },
  ],
];

for (const [what, why, plant] of planted) {
  test(`${what} in its place is refused, not used, and is no marker`, () => {
    using bpffs = mountBpffs();
    const path = `${bpffs.path}/${stagingName}`;
    plant(path);
    try {
      const before = execFileSync('stat', ['-c', '%F %i %a %u', path], { encoding: 'utf8' });
      leavingNothingOpen(kernel, () => {
        using root = kernel.rootAt(bpffs.path);
        for (const create of [false, true]) {
          const refused = refusalOf(() => kernel.bpffs.openStaging(root, create));
          assert.equal(refused.code, 'staging_unsafe');
          assert.match(refused.message, why);
        }
        assert.match(root.instance, /\/-$/);
      });
      assert.equal(execFileSync('stat', ['-c', '%F %i %a %u', path], { encoding: 'utf8' }), before);
    } finally {
      if (what === 'another file system') execFileSync('umount', ['-l', path]);
    }
  });
}

test('a setgid root, whose bit it inherits, does not make it unsafe', () => {
  using bpffs = mountBpffs();
  execFileSync('chmod', ['3777', bpffs.path]);
  using root = kernel.rootAt(bpffs.path);
  using staging = kernel.bpffs.openStaging(root, true);
  assert.ok(staging);
  assert.equal(statOf(`${bpffs.path}/${stagingName}`), 'directory 2700 0');
});

test('an unprivileged agent is refused the staging directory of root', () => {
  using bpffs = mountBpffs();
  using root = kernel.rootAt(bpffs.path);
  using _made = kernel.bpffs.openStaging(root, true);
  process.seteuid?.(65534);
  try {
    assert.equal(refusalOf(() => kernel.bpffs.openStaging(root, true)).code, 'staging_unsafe');
  } finally {
    process.seteuid?.(0);
  }
});

test('on a read-only bpffs one that is there is opened, and none is made', () => {
  using bpffs = mountBpffs();
  using other = mountBpffs();
  {
    using root = kernel.rootAt(bpffs.path);
    using _made = kernel.bpffs.openStaging(root, true);
  }
  for (const { path } of [bpffs, other]) execFileSync('mount', ['-o', 'remount,ro', path]);
  using root = kernel.rootAt(bpffs.path);
  using found = kernel.bpffs.openStaging(root, true);
  assert.ok(found);
  using bare = kernel.rootAt(other.path);
  assert.equal(refusalOf(() => kernel.bpffs.openStaging(bare, true)).code, 'read_only');
});
