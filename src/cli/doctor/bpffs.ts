import { escapeText } from '../../model/escape.ts';
import type { FileFacts, LocalPlaces, MachineFacts } from '../../model/local.ts';
import { shownPath } from '../resource/cell.ts';
import { type Check, fail, octal, ok, warn } from './check.ts';

/** Whether the bpffs is there, safe to work in, and the only one in sight. */
export function checkBpffs(facts: MachineFacts, places: LocalPlaces): Check[] {
  return [
    checkMounted(facts, places),
    ...checkRoot(facts.bpffsRoot, facts.bpffs === 'mounted'),
    ...checkMounts(facts),
  ];
}

function checkMounted(facts: MachineFacts, { bpffs }: LocalPlaces): Check {
  const path = escapeText(bpffs);
  const mount = `Mount it with \`mount -t bpf bpf ${path}\`, or start the agent with --mount-bpffs.`;
  switch (facts.bpffs) {
    case 'mounted':
      return ok('bpffs', `mounted at ${path}`);
    case 'missing':
      return fail(
        'bpffs',
        `there is no directory ${path}`,
        'Name another with --bpffs, or make the directory and mount a bpffs there.',
      );
    case 'not_bpffs':
      return fail(
        'bpffs',
        `another file system is mounted at ${path}`,
        'Name the path of a bpffs with --bpffs.',
      );
    case 'not_mounted':
      return fail('bpffs', `nothing is mounted at ${path}`, mount);
  }
}

/**
 * A root that everybody may write to lets any local user plant names and symbolic links (kernel default:
 * 1777).
 */
function checkRoot(root: FileFacts | undefined, isMounted: boolean): Check[] {
  if (root === undefined || !isMounted) return [];
  const name = 'bpffs root';
  if ((root.mode & 0o022) !== 0) {
    const finding = `mode ${octal(root.mode)}: others can plant pins, links and a staging directory in it`;
    return [warn(name, finding, `chmod 0700 ${escapeText(root.path)}`)];
  }
  if (root.uid !== 0) {
    return [
      warn(
        name,
        `belongs to uid ${root.uid}, who can rename and remove every pin`,
        `chown root ${escapeText(root.path)}`,
      ),
    ];
  }
  return [ok(name, `mode ${octal(root.mode)}, owned by root`)];
}

function checkMounts({ mounts }: MachineFacts): Check[] {
  const lines: Check[] = mounts.flatMap((mount) => {
    const where = mount.paths.map(shownPath).join(', ');
    const name = `mount ${mount.id}`;
    if (mount.shadowed) {
      return [
        warn(
          name,
          `hidden at ${where} by another mount; its pins live on unseen`,
          'Unmount what lies over it, or look with `pinfold get pins --mount`.',
        ),
      ];
    }
    if (!mount.reachable) {
      const advice = 'It needs CAP_SYS_PTRACE, and no slow file system on the way.';
      return [warn(name, `cannot be reached at ${where}`, advice)];
    }
    return [];
  });
  return lines.length > 0 || mounts.length === 0
    ? lines
    : [ok('mounts', `${mounts.length} bpffs in sight, none hidden`)];
}
