import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';

const units = readdirSync(repoPath('deploy/systemd')).filter((name) => !/\.(md|conf)$/.test(name));

/** What each may be exposed at most, of 10, by systemd's own measure: the agent has to see the machine. */
const exposureMost: Readonly<Record<string, number>> = {
  'pinfold.service': 5,
  'pinfold-manager.service': 2.5,
  'pinfold-wait@.service': 2,
};

/** The units where their program is this checkout's. */
function copyUnits(directory: string): readonly string[] {
  return units.map((name) => {
    const file = join(directory, name.replace('@.', '@tc-flows.'));
    const text = readFileSync(repoPath('deploy/systemd', name), 'utf8');
    writeFileSync(file, text.replaceAll('/opt/pinfold/', `${repoPath()}/`));
    return file;
  });
}

test('systemd-analyze verify has nothing to say of any unit, nor of a node of a fleet', () => {
  using dir = tempDir('units');
  const files = copyUnits(dir.path);
  mkdirSync(join(dir.path, 'pinfold.service.d'));
  copyFileSync(
    repoPath('deploy/systemd/pinfold.service-fleet.conf'),
    join(dir.path, 'pinfold.service.d', 'fleet.conf'),
  );
  const run = spawnSync('systemd-analyze', ['verify', '--recursive-errors=no', ...files], {
    encoding: 'utf8',
  });
  const ours = run.stderr.split('\n').filter((line) => line.includes('pinfold'));
  assert.deepEqual([run.status, ours], [0, []]);
});

for (const [unit, most] of Object.entries(exposureMost)) {
  test(`systemd-analyze security gives ${unit} at most ${most} of 10`, () => {
    using dir = tempDir('units');
    const file = copyUnits(dir.path).find((name) => name.endsWith(`/${unit.replace('@.', '@tc-flows.')}`));
    const words = ['security', '--no-pager', '--offline=true', `--threshold=${most * 10}`, file ?? ''];
    const run = spawnSync('systemd-analyze', words, { encoding: 'utf8' });
    assert.equal(
      run.status,
      0,
      run.stdout
        .split('\n')
        .filter((line) => /✗|Overall/.test(line))
        .join('\n'),
    );
  });
}
