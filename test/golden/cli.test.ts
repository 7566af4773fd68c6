import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, pinById } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { forFile } from '../support/disposal.ts';
import { start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

/**
 * What is built runs as people run it, each command a process; from the sources processes run through tsx.
 */
const isBuilt = import.meta.dirname.includes('/dist/');
const program = isBuilt ? [repoPath('bin/pinfold')] : ['--import', 'tsx', repoPath('src/main.ts')];
const transcript = repoPath('test/golden/cli-transcript.txt');

const bpffs = forFile(mountBpffs('mode=0700'));
const dir = forFile(tempDir('golden'));
const socket = join(dir.path, 'run', 'agent.sock');
const env = { ...process.env, PINFOLD_ADDRESS: socket, NO_COLOR: '1' };

mkdirSync(join(bpffs.path, 'shared'));
const { id } = createMap(join(bpffs.path, 'shared/counts'), { name: 'pf_golden' });
pinById('map', id, join(bpffs.path, 'shared/evil\n\u001b[31m'));
const places = [
  '--bpffs',
  bpffs.path,
  '--state-dir',
  join(dir.path, 'state'),
  '--run-dir',
  join(dir.path, 'run'),
];
const agent = start(process.execPath, [
  ...program,
  'agent',
  ...places,
  '--listen',
  'none',
  '--node',
  'golden',
]);
after(() => agent[Symbol.dispose]());
before(async () => {
  await agent.line(/agent\.sock/, 60_000);
  // Somebody else on the machine may look at the map just when it is first observed.
  const shown = () => pinfold(['describe', 'map', `${id}`]).out;
  await untilPasses(() => assert.match(shown(), /Unheld since/), { everyMs: 500 });
});

function pinfold(words: readonly string[], input = ''): Child {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...program, ...words], {
    env,
    input,
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

/** How a command ended, and what it printed. */
interface Child {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** What differs from run to run; widths of columns follow the numbers in them. */
const volatile: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<TIME>'],
  [/\b\d+s\b/g, '<AGE>'],
  [/"?\\?"[\w-]{27}\\?""?/g, '<ETAG>'],
  [/'"[\w-]{27}"'/g, '<ETAG>'],
  [/\b\d+:\d+\b/g, '<MOUNT>'],
  [new RegExp(`\\b${id}\\b`, 'g'), '<ID>'],
  [/\b(map[: ]|id: +|ID: +)\d+/g, '$1<ID>'],
  [/(inode"?: +)\d+/gi, '$1<INODE>'],
  [/(Memlock: +)\d+/g, '$1<BYTES>'],
  [/(?<=[^:\s]) {3,}(?=\S)/g, '   '],
  [/^ +(?=ID )/gm, ''],
  [/( {3}0 {3}0 {3}\d {3})\d+/g, '$1<INODE>'],
  // There once the object has been recorded, which a busy machine may not have done yet.
  [/^ {2}first_seen: <TIME>\n/gm, ''],
];

function settled(text: string): string {
  return volatile.reduce((shown, [pattern, name]) => shown.replace(pattern, name), text);
}

test('the transcript in test/golden is what the command line says', async () => {
  const commands = readFileSync(transcript, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('$ pinfold '));
  const told: string[] = [];
  for (const line of commands) {
    const words = line.slice('$ pinfold '.length).split(' ');
    const { code, out, err } = isBuilt
      ? pinfold(words)
      : await commandLine(words, { env: { PINFOLD_ADDRESS: socket } });
    told.push(`${line}\n${settled(out)}${settled(err)}${code === 0 ? '' : `exit code ${code}\n`}`);
  }
  if (process.env['PINFOLD_UPDATE_GOLDEN'] === '1') writeFileSync(transcript, told.join('\n'));
  assert.equal(told.join('\n'), readFileSync(transcript, 'utf8'));
});

test('a reader who goes away early ends a command quietly', async () => {
  const child = spawn(
    process.execPath,
    [...program, 'get', 'objects', '-o', 'ndjson', '-w', '--interval', '50ms'],
    { env },
  );
  const complaints: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  child.stdout.once('data', () => {
    child.stdout.destroy();
    createMap(join(bpffs.path, 'late'), { name: 'pf_golden' });
  });
  const code = await new Promise((resolve) => void child.once('close', resolve));
  assert.equal(Buffer.concat(complaints).toString(), '');
  assert.equal(code, 0);
});

test('names from one command go through a pipe into the next', () => {
  createMap(join(bpffs.path, 'shared/pipe\\d'), { name: 'pf_golden' });
  const names = pinfold(['get', 'pins', '--prefix', 'shared', '--fresh', '-o', 'name']).out;
  assert.match(names, /^shared\/pipe\\\\d$/m);
  const removed = pinfold(['unpin', '-', '--force', '-o', 'name'], names);
  assert.deepEqual(removed, { code: 0, out: names, err: '' });
});

test('shells can load the completion scripts, and are offered commands, nouns and living pins', () => {
  createMap(join(bpffs.path, 'complete_me'), { name: 'pf_golden' });
  const bash = pinfold(['completion', 'bash']).out;
  assert.equal(spawnSync('bash', ['-n'], { input: bash }).status, 0);
  const twice = spawnSync('bash', ['-c', `${bash}\n${bash}\ncomplete -p pinfold`], { encoding: 'utf8' });
  assert.deepEqual([twice.stdout, twice.stderr], ['complete -F __pinfold_complete_word pinfold\n', '']);
  for (const shell of ['zsh', 'fish'])
    assert.match(pinfold(['completion', shell]).out, /pinfold complete --/);
  pinfold(['get', 'pins', '--fresh', '-o', 'name']);
  const offered = (...words: readonly string[]): string => {
    const { code, out, err } = pinfold(['complete', '--', ...words]);
    assert.deepEqual([code, err], [0, '']);
    return out;
  };
  assert.match(offered('unp'), /^unpin\tremove pins/m);
  assert.match(offered('get', 'prog'), /^programs\t/m);
  assert.match(offered('get', 'operation'), /^operation\t/m);
  assert.doesNotMatch(offered('get', 'operation'), /^operations/m);
  assert.match(offered('describe', 'prog'), /^program\t/m);
  assert.match(offered('unpin', 'compl'), /^complete_me\tmap \d+ hash pf_golden$/m);
  assert.match(offered('pin', 'ma'), /^map:\t/m);
  assert.match(offered('why', ''), /^complete_me\tmap \d+ hash pf_golden$/m);
  assert.match(offered('why', 'ma'), /^map\b/m);
  assert.match(offered('why', 'map', ''), /^map:\d+\t/m);
  assert.match(offered('get', 'pins', '--output', 'wi'), /^wide\t/m);
});

test('bash completes without bash-completion, and across the colons of our words', () => {
  createMap(join(bpffs.path, 'bare_bash'), { name: 'pf_golden' });
  pinfold(['get', 'pins', '--fresh', '-o', 'name']);
  const setUp = [
    `pinfold() { '${[process.execPath, ...program].join("' '")}' "$@"; }`,
    'source <(pinfold completion bash)',
    // Bash has it only while somebody types.
    'compopt() { :; }',
    "COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'",
    `COMP_LINE=$1; COMP_POINT=\${#COMP_LINE}`,
    '__pinfold_complete_word pinfold',
    `printf "%s\\n" "\${COMPREPLY[@]}"`,
  ].join('\n');
  const completed = (line: string): readonly string[] => {
    const bash = ['--norc', '-c', setUp, 'bash', line];
    const { stdout, stderr } = spawnSync('bash', bash, { env, cwd: repoPath(), encoding: 'utf8' });
    assert.equal(stderr, '', line);
    return stdout.trimEnd().split('\n');
  };
  assert.deepEqual(completed('pinfold unp'), ['unpin']);
  assert.deepEqual(completed('pinfold unpin bare'), ['bare_bash']);
  assert.ok(completed('pinfold pin ').includes('map:'));
  assert.deepEqual(completed('pinfold pin pin:bare'), ['bare_bash']);
  assert.ok(completed('pinfold pin map:').every((word) => /^\d+$/.test(word)));
});

test('SIGTERM ends the agent with exit code 0, and its socket is gone', async () => {
  agent.kill('SIGTERM');
  assert.deepEqual(await agent.exit(), { code: 0, signal: null });
  assert.equal(pinfold(['get', 'pins']).code, 1);
});
