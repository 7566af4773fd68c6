import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { repositoryFiles } from '../repo/sources.ts';
import { repoPath } from '../support/repo-root.ts';

const scripts = repositoryFiles().filter(
  (path) => path.startsWith('deploy/') && readFileSync(repoPath(path), 'utf8').startsWith('#!/bin/sh'),
);

test('shellcheck has nothing to say of any script of deploy', () => {
  assert.ok(scripts.length >= 3, scripts.join());
  const run = spawnSync('shellcheck', ['--shell=sh', '--severity=style', ...scripts], {
    cwd: repoPath(),
    encoding: 'utf8',
  });
  assert.deepEqual([run.status, run.stdout], [0, '']);
});

test('every folder of deploy that is more than one file has a README of at most 30 lines', () => {
  const folders = ['oci', 'cni', 'systemd', 'kubernetes', 'nomad'];
  for (const folder of folders) {
    const lines = readFileSync(repoPath('deploy', folder, 'README.md'), 'utf8').split('\n').length - 1;
    assert.ok(lines <= 30, `${folder}: ${lines} lines`);
  }
});
