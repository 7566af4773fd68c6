import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { isPinfoldError } from '../../src/model/error.ts';
import { type PinPath, parsePath, parsePathBytes } from '../../src/model/path.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, pinnedMap } from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { disposable, forFile } from '../support/disposal.ts';
import { start } from '../support/process.ts';
import { testSeed } from '../support/seed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { turn } from '../support/turn.ts';
import { leavingNothingOpen, makeDirectory, refusalOf, subject } from './bpffs-fixture.ts';

const seed = testSeed();
const kernel = subject();
const mounted = forFile(mountBpffs());
const at = (path: string): string => `${mounted.path}/${path}`;
const mount = kernel.mountAt(mounted.path);
createMap(at('map'), { name: 'pf_resolve' });
mkdirSync(at('dir/inner'), { recursive: true });
createMap(at('dir/inner/map'), { name: 'pf_inner' });

function pinCode(path: PinPath): string {
  return leavingNothingOpen(kernel, () => {
    using root = kernel.bpffs.openRoot(mount);
    return refusalOf(() => kernel.bpffs.openPin(root, path)).code;
  });
}

test('a pin is opened with the facts stat(1) tells of it', () => {
  leavingNothingOpen(kernel, () => {
    using root = kernel.bpffs.openRoot(mount);
    using pin = kernel.bpffs.openPin(root, parsePath('dir/inner/map'));
    const told = execFileSync('stat', ['-c', '%i %a %u %g %h %.9Y', at('dir/inner/map')], {
      encoding: 'utf8',
    });
    const seconds = pin.mtimeNs.toString().replace(/(?=\d{9}$)/, '.');
    const facts = [pin.inode, pin.mode.toString(8), pin.uid, pin.gid, pin.links, seconds];
    assert.equal(facts.join(' '), told.trim());
    assert.deepEqual([pin.type, pin.name], ['file', 'map']);
    assert.equal(pinnedMap(pin.fd.procPath.replace('self', `${process.pid}`)).name, 'pf_inner');
    const parent = execFileSync('stat', ['-c', '%i', at('dir/inner')], { encoding: 'utf8' });
    assert.equal(kernel.bpffs.stat(pin.parent).inode, Number(parent));
  });
});

test('what is not a pin is told from what is not there, and each refusal names the path', () => {
  assert.equal(pinCode(parsePath('none')), 'pin_not_found');
  assert.equal(pinCode(parsePath('none/none')), 'parent_not_found');
  assert.equal(pinCode(parsePath('dir')), 'is_a_directory');
  assert.equal(pinCode(parsePath('map/below')), 'not_a_directory');
  assert.equal(pinCode(parsePath('map/below/deeper')), 'not_a_directory');
  using root = kernel.bpffs.openRoot(mount);
  const refused = refusalOf(() => kernel.bpffs.openPin(root, parsePath('no\nne/x\u001b')));
  assert.deepEqual(
    [refused.details.path, refused.details.syscall, refused.details.errno],
    ['no\nne/x\u001b', 'openat2', 'ENOENT'],
  );
  assert.equal(
    refusalOf(() => kernel.bpffs.openDirectory(root, parsePath('none'))).code,
    'directory_not_found',
  );
  assert.equal(refusalOf(() => kernel.bpffs.openDirectory(root, parsePath('map'))).code, 'not_a_directory');
});

test('a symbolic link in any position, of any kind, is refused with where it is and where it points', () => {
  using outside = tempDir('canary');
  writeFileSync(`${outside.path}/file`, 'untouched');
  mkdirSync(at('links'));
  const targets = {
    absolute: outside.path,
    relative: '../dir',
    up: '../../..',
    self: 'self',
    magic: '/proc/self/root',
    dangling: 'no/where',
    pin: '../map',
    hostile: 'a\nb\u001b',
  };
  for (const [name, target] of Object.entries(targets)) symlinkSync(target, at(`links/${name}`));
  for (const [name, target] of Object.entries(targets)) {
    for (const path of [`links/${name}`, `links/${name}/file`, `links/${name}/deep/file`]) {
      const refused = leavingNothingOpen(kernel, () => {
        using root = kernel.bpffs.openRoot(mount);
        return refusalOf(() => kernel.bpffs.openPin(root, parsePath(path)));
      });
      const shown = target.replace('\n', '\\x0a').replace('\u001b', '\\x1b');
      assert.deepEqual([refused.code, refused.details['target']], ['symlink', shown], path);
      assert.equal(refused.details['symlink'], `links/${name}`);
    }
  }
  using root = kernel.bpffs.openRoot(mount);
  assert.equal(
    refusalOf(() => kernel.bpffs.openDirectory(root, parsePath('links/relative'))).code,
    'symlink',
  );
  using parent = kernel.bpffs.openDirectory(root, parsePath('links'));
  using link = kernel.bpffs.openName(root, { directory: parent, name: 'hostile' });
  assert.equal(link?.type, 'symlink');
  assert.equal(link && kernel.bpffs.readLink(link), 'a\nb\u001b');
});

test('another file system mounted inside is never entered, nor taken for a pin', () => {
  mkdirSync(at('crossing'));
  execFileSync('mount', ['-t', 'tmpfs', 'pf-tmpfs', at('crossing')]);
  using _tmpfs = disposable(() => execFileSync('umount', ['-l', at('crossing')]));
  writeFileSync(at('crossing/file'), '');
  execFileSync('mount', ['--bind', at('crossing/file'), at('map')]);
  using _bind = disposable(() => execFileSync('umount', ['-l', at('map')]));
  for (const path of ['crossing', 'crossing/file', 'crossing/none/x', 'map']) {
    assert.equal(pinCode(parsePath(path)), 'crosses_mount', path);
  }
});

test('every name the parser accepts the kernel accepts, and the other way round', () => {
  const name = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 5 }),
    fc.constantFrom(
      Buffer.alloc(255, 0xff),
      Buffer.alloc(256, 97),
      Buffer.from('a.b'),
      Buffer.from('\n\u001b%2e'),
    ),
  );
  using root = kernel.bpffs.openRoot(mount);
  fc.assert(
    fc.property(name, (bytes) => {
      fc.pre(!bytes.includes(0) && !bytes.includes(47));
      let path: PinPath | undefined;
      try {
        path = parsePathBytes(bytes);
      } catch (error) {
        assert.ok(isPinfoldError(error, 'bad_path'));
      }
      const raw = Buffer.concat([Buffer.from(at('')), bytes]).toString('latin1');
      if (path === undefined) {
        assert.throws(() => makeDirectory(raw), { code: /EPERM|ENAMETOOLONG|EEXIST/ });
        return;
      }
      makeDirectory(raw);
      using directory = kernel.bpffs.openDirectory(root, path);
      kernel.calls.rmdirat({ directory: root.directory, name: path });
      assert.equal(directory.what, path);
    }),
    { seed, numRuns: 2000 },
  );
});

test('a user who may not search a directory is told so, not that nothing is there', () => {
  mkdirSync(at('closed'), { mode: 0o700 });
  createMap(at('closed/map'), { name: 'pf_closed' });
  execFileSync('chmod', ['711', mounted.path]);
  using root = kernel.bpffs.openRoot(mount);
  process.seteuid?.(65534);
  try {
    const refused = refusalOf(() => kernel.bpffs.openPin(root, parsePath('closed/map')));
    assert.deepEqual([refused.code, refused.details.errno], ['permission_denied', 'EACCES']);
    assert.match(refused.message, /CAP_DAC_READ_SEARCH/);
  } finally {
    process.seteuid?.(0);
  }
});

test('what is open stays the same thing, whatever its name leads to meanwhile', () => {
  createMap(at('first'), { name: 'pf_first' });
  createMap(at('second'), { name: 'pf_second' });
  using root = kernel.bpffs.openRoot(mount);
  using pin = kernel.bpffs.openPin(root, parsePath('first'));
  execFileSync('mv', [at('second'), at('first')]);
  assert.equal(pinnedMap(pin.fd.procPath.replace('self', `${process.pid}`)).name, 'pf_first');
  assert.equal(kernel.bpffs.stat(pin.fd).links, 0);
  using now = kernel.bpffs.openPin(root, parsePath('first'));
  assert.notEqual(now.inode, pin.inode);
});

/** The names change places on another processor, or when this process is not on the only one. */
const swapsLeast = 5001;

/** Opens a path 20,000 times, and until two names have changed places often meanwhile; what it came to. */
async function openWhileSwapping(path: PinPath, inode: number, names: readonly string[]): Promise<string[]> {
  using swapper = start(compileC('swap'), [...names.map(at), `${swapsLeast}`]);
  await swapper.line(/^ready$/);
  const outcomes = new Set<string>();
  using root = kernel.bpffs.openRoot(mount);
  const deadline = Date.now() + 60_000;
  for (let opens = 0; opens < 20_000 || !swapper.lines.includes('enough'); opens++) {
    if (opens % 1000 === 0) await turn();
    if (opens > 20_000) assert.ok(Date.now() < deadline, 'the names change places too slowly');
    try {
      using pin = kernel.bpffs.openPin(root, path);
      assert.equal(pin.inode, inode);
      outcomes.add('inside');
    } catch (error) {
      assert.ok(isPinfoldError(error), String(error));
      outcomes.add(error.code);
    }
  }
  swapper.end();
  const swaps = Number(await swapper.line(/^\d+$/));
  await swapper.exit();
  assert.ok(swaps >= swapsLeast, `only ${swaps} swaps`);
  assert.deepEqual(kernel.fds.transient(), [root.directory]);
  return [...outcomes].filter((outcome) => outcome !== 'conflict').sort();
}

test('while a directory or a pin changes places with a link, 20,000 opens never end up outside', async () => {
  using outside = tempDir('canary');
  writeFileSync(`${outside.path}/target`, 'untouched');
  const canary = (): string =>
    execFileSync('stat', ['-c', '%Z %Y %X %s', `${outside.path}/target`]).toString();
  const before = canary();
  mkdirSync(at('swap/real'), { recursive: true });
  createMap(at('swap/real/target'), { name: 'pf_real' });
  symlinkSync(outside.path, at('swap/link'));
  symlinkSync(`${outside.path}/target`, at('swap/file-link'));
  createMap(at('swap/pin'), { name: 'pf_pin' });
  const inodeOf = (path: string): number => statSync(at(path)).ino;
  const target = inodeOf('swap/real/target');
  const viaDirectory = await openWhileSwapping(parsePath('swap/real/target'), target, [
    'swap/real',
    'swap/link',
  ]);
  assert.deepEqual(viaDirectory, ['inside', 'symlink']);
  const pin = inodeOf('swap/pin');
  const asPin = await openWhileSwapping(parsePath('swap/pin'), pin, ['swap/pin', 'swap/file-link']);
  assert.deepEqual(asPin, ['inside', 'symlink']);
  assert.equal(canary(), before);
});
