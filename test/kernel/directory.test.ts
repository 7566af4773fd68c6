import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import test from 'node:test';
import type { DirectoryRequest } from '../../src/model/schema/request.ts';
import { createMap } from '../support/bpftool.ts';
import { asking, benchForFile, failsWith, path } from './changes-fixture.ts';

const bench = benchForFile();
const { changes } = bench;
const at = (name: string): string => `${bench.bpffs.path}/${name}`;

function make(name: string, request: DirectoryRequest = {}, context = asking()) {
  return changes.makeDirectory(path(name), undefined, request, context);
}

function remove(name: string, context = asking()) {
  return changes.removeDirectory(path(name), undefined, context);
}

test('a directory is made once, and asking again changes nothing', () => {
  const first = make('d');
  assert.equal(first.created, true);
  assert.equal(changes.operation(first.operationId ?? '')?.kind, 'mkdir');
  const again = make('d');
  assert.deepEqual([again.created, again.operationId], [false, undefined]);
  assert.equal(statSync(at('d')).isDirectory(), true);
});

test('permissions are set, also on a directory that is there', () => {
  make('p', { mode: '0750', uid: 1000, gid: 1001 });
  const seen = () => [statSync(at('p')).mode & 0o7777, statSync(at('p')).uid, statSync(at('p')).gid];
  assert.deepEqual(seen(), [0o750, 1000, 1001]);
  make('p', { mode: '2700' });
  assert.deepEqual(seen(), [0o2700, 1000, 1001]);
});

test('directories above are made only when they may be', () => {
  assert.throws(() => make('x/y/z'), failsWith('parent_not_found'));
  make('x/y/z', { parents: true, mode: '0700' });
  assert.deepEqual(
    ['x', 'x/y', 'x/y/z'].map((name) => statSync(at(name)).mode & 0o777),
    [0o755, 0o755, 0o700],
  );
});

test('a setgid directory hands its group and its bit down', () => {
  mkdirSync(at('shared'));
  chownSync(at('shared'), 0, 1234);
  chmodSync(at('shared'), 0o2770);
  make('shared/inner', { mode: '0750' });
  const { mode, gid } = statSync(at('shared/inner'));
  assert.deepEqual([mode & 0o7777, gid], [0o2750, 1234]);
});

test('only an empty directory is removed', () => {
  mkdirSync(at('full'));
  createMap(at('full/m'));
  assert.throws(() => remove('full'), failsWith('directory_not_empty', { errno: 'ENOTEMPTY' }));
  assert.equal(existsSync(at('full/m')), true);
  execFileSync('rm', [at('full/m')]);
  remove('full');
  assert.equal(existsSync(at('full')), false);
  assert.throws(() => remove('full'), failsWith('directory_not_found'));
});

test('a pin and a symbolic link are no directories, and keep their names', () => {
  createMap(at('pin'));
  symlinkSync('/etc', at('link'));
  for (const act of [make, remove]) {
    assert.throws(() => act('pin'), failsWith('not_a_directory'));
    assert.throws(() => act('link'), failsWith('symlink'));
    assert.throws(() => act('link/passwd'), failsWith('symlink'));
    assert.throws(() => act('pin/inside'), failsWith('not_a_directory'));
  }
  assert.equal(existsSync(at('pin')), true);
});

test('a dry run makes and removes nothing', () => {
  mkdirSync(at('stays'));
  const dry = asking({ dryRun: true });
  assert.deepEqual(
    make('n/m', { parents: true }, dry).plan?.map(({ action }) => action),
    ['make_directory'],
  );
  assert.deepEqual(
    remove('stays', dry).plan?.map(({ action }) => action),
    ['remove_directory'],
  );
  assert.equal(existsSync(at('n')), false);
  assert.equal(existsSync(at('stays')), true);
});

test('the staging directory is out of reach', () => {
  assert.throws(() => path('pinfold-staging'), failsWith('bad_path'));
  assert.throws(() => path('pinfold-staging/x'), failsWith('bad_path'));
});
