import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Problem, say } from './problem.mjs';

/** Debian packages by what they are for, each with the program or the file that shows that it is there. */
const groups = {
  /** What npm needs to compile better-sqlite3, where no prebuilt file can be downloaded. */
  native: { python3: 'python3', make: 'make', 'g++': 'g++' },
  /** Programs that tests judge by, and enter namespaces with. */
  oracles: {
    bpftool: 'bpftool',
    iproute2: 'tc',
    sqlite3: 'sqlite3',
    strace: 'strace',
    prometheus: 'promtool',
    procps: 'ps',
    findutils: 'find',
    'util-linux': 'nsenter',
    mount: 'mount',
    binutils: 'objcopy',
    curl: 'curl',
    openssl: 'openssl',
    'etcd-server': 'etcd',
    'etcd-client': 'etcdctl',
    python3: 'python3',
  },
  /** What runs deploy/ for real, and reads its scripts and units. */
  deploy: {
    runc: 'runc',
    crun: 'crun',
    podman: 'podman',
    'containernetworking-plugins': '/usr/lib/cni/bridge',
    shellcheck: 'shellcheck',
    systemd: 'systemd-analyze',
  },
  /** What benchmarks put load on with. */
  load: { wrk: 'wrk' },
  /** What the C and BPF helper programs of the tests are compiled with. */
  compilers: {
    clang: 'clang',
    gcc: 'gcc',
    'libc6-dev': '/usr/include/stdio.h',
    'linux-libc-dev': '/usr/include/linux/bpf.h',
    'libbpf-dev': '/usr/include/bpf/bpf_helpers.h',
  },
};

const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin'];
/** A script that answers 101 here keeps package scripts from starting services (Debian policy, 9.3.3.1). */
const policy = '/usr/sbin/policy-rc.d';

/** The packages of these groups that are not there. */
export function missingPackages(names) {
  const wanted = names.flatMap((name) => Object.entries(groups[name]));
  return wanted.filter(([, proof]) => !isThere(proof)).map(([name]) => name);
}

/**
 * Installs Debian packages, without recommended ones and without starting any service they bring.
 *
 * @throws Problem where this is not Debian, not root, or apt-get fails (no network).
 */
export function installPackages(names) {
  const command = `apt-get install -y --no-install-recommends ${names.join(' ')}`;
  if (!isThere('apt-get'))
    throw new Problem(`this needs what Debian calls ${names.join(', ')}; install it and run again.`);
  if (process.getuid() !== 0) throw new Problem(`not root; run as root: ${command}`);
  say(`installing Debian packages: ${names.join(' ')}`);
  const undo = forbidServices();
  try {
    const isListed = readdirSync('/var/lib/apt/lists').some((file) => file.endsWith('_Packages'));
    if (isListed && apt('install', ...names)) return;
    say('updating the list of Debian packages');
    apt('update');
    if (!apt('install', ...names)) {
      throw new Problem(
        `Debian packages are missing and could not be installed; see above, then run: ${command}`,
      );
    }
  } finally {
    undo();
  }
}

function apt(verb, ...names) {
  const options = verb === 'install' ? ['-y', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0'] : [];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };
  // What apt prints goes to standard error: standard output belongs to what the person asked for.
  return (
    spawnSync('apt-get', ['-q', verb, ...options, ...names], { stdio: ['ignore', 2, 2], env }).status === 0
  );
}

function forbidServices() {
  if (existsSync(policy)) return () => undefined;
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(policy);
}

function isThere(proof) {
  if (proof.startsWith('/')) return existsSync(proof);
  return directories.some((directory) => isExecutable(join(directory, proof)));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
