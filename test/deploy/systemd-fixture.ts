import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupMount } from '../support/cgroups.ts';
import { disposable } from '../support/disposal.ts';
import { start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** How a command ended. */
export interface Ran {
  readonly code: number;
  readonly out: string;
}

/** A systemd of the test's own, the first process of its namespaces, with the units of deploy/systemd. */
export interface Systemd extends Disposable {
  /** A file as the units see it. */
  inside(path: string): string;
  systemctl(...words: readonly string[]): Promise<Ran>;
  /** What `systemctl show` says of one property. */
  property(unit: string, name: string): Promise<string>;
}

/** What tests change: nothing of the machine is started, and what is printed goes to a file. */
const bare = '[Unit]\nDefaultDependencies=no\n';
const noted = '[Service]\nStandardOutput=append:/run/said\n';

/**
 * Boots systemd with its own BPF filesystem, state and control groups, and /opt/pinfold as this repository.
 * What it makes goes with its namespaces, except control groups, which disposing removes.
 */
export async function bootSystemd(extra: Readonly<Record<string, string>> = {}): Promise<Systemd> {
  const dir = tempDir('systemd');
  const group = join(cgroupMount(), `pf-systemd-${process.pid}-${process.hrtime.bigint()}`);
  writeUnits(dir.path, extra);
  mkdirSync(group);
  const words = ['sh', '-euc', enter, 'sh', group, dir.path, repoPath(), process.execPath];
  const parent = start(words[0] ?? '', words.slice(1));
  const release = disposable(() => {
    parent[Symbol.dispose]();
    removeGroups(group);
    dir[Symbol.dispose]();
  });
  const isUp = (): number | undefined => {
    const children = readText(`/proc/${parent.pid}/task/${parent.pid}/children`);
    const pid = Number(children.trim() || Number.NaN);
    return existsSync(`/proc/${pid}/root/run/systemd/private`) ? pid : undefined;
  };
  const pid = await until('systemd', isUp, Boolean, { timeoutMs: 60_000 }).catch((error: unknown) => {
    release[Symbol.dispose]();
    throw new Error(parent.stderr(), { cause: error });
  });
  const systemctl = (...args: readonly string[]): Promise<Ran> =>
    run('nsenter', [`--target=${pid}`, '--mount', '--pid', 'systemctl', ...args]);
  return {
    inside: (path) => `/proc/${pid}/root${path}`,
    systemctl,
    property: async (unit, name) => (await systemctl('show', '--value', '-p', name, unit)).out.trim(),
    ...release,
  };
}

/** In a control group of its own, so that what systemd makes of it is told from the machine's. */
const enter = `echo $$ > "$1/cgroup.procs"
exec unshare --pid --fork --kill-child --mount --propagation private --mount-proc --cgroup --uts --ipc \
  sh -euc '
    umount -l /sys/fs/cgroup; mount -t cgroup2 pf-cgroup /sys/fs/cgroup
    mount -t bpf pf-bpffs /sys/fs/bpf
    for at in /run /etc/systemd/system /var/lib /var/tmp /opt /usr/local/sbin; do
      mount -t tmpfs pf-systemd $at
    done
    cp -r "$2"/. /etc/systemd/system
    mkdir /opt/pinfold; mount --bind "$3" /opt/pinfold
    touch /usr/local/sbin/node; mount --bind "$4" /usr/local/sbin/node
    if [ -e /etc/systemd/system/pinfold ]; then
      mount --bind /etc/systemd/system/pinfold /opt/pinfold/bin/pinfold
    fi
    mount -t tmpfs -o mode=1777 pf-systemd /tmp
    exec env -i container=other /lib/systemd/systemd --system --unit=pf-idle.target --show-status=no \
      --log-target=console --log-level=notice
  ' sh "$@"`;

function writeUnits(directory: string, extra: Readonly<Record<string, string>>): void {
  writeFileSync(join(directory, 'pf-idle.target'), bare);
  for (const unit of readdirSync(repoPath('deploy/systemd')).filter((name) => !name.endsWith('.md'))) {
    writeFileSync(join(directory, unit), readFileSync(repoPath('deploy/systemd', unit)));
    mkdirSync(join(directory, `${unit}.d`));
    const service = unit.endsWith('.service') ? noted : '';
    writeFileSync(join(directory, `${unit}.d`, 'test.conf'), `${bare}${service}${extra[unit] ?? ''}`);
  }
  // Run from sources, there is nothing built that bin/pinfold could find.
  if (!import.meta.filename.endsWith('.ts')) return;
  const script =
    '#!/bin/sh\ncd /opt/pinfold && TSX_DISABLE_CACHE=1 exec node --import tsx src/main.ts "$@"\n';
  writeFileSync(join(directory, 'pinfold'), script, { mode: 0o755 });
}

function run(command: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 120_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, out: `${stdout}${stderr}` });
    });
  });
}

/** The innermost first; the processes in them may take a moment to be gone. */
function removeGroups(path: string): void {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      for (const name of readdirSync(path, { withFileTypes: true })) {
        if (name.isDirectory()) removeGroups(join(path, name.name));
      }
      rmdirSync(path);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
