import { escapeName, escapeText } from '../escape.ts';
import { bytesOf } from '../path.ts';
import { ownerOfCgroup } from './cgroup.ts';
import type {
  AttachmentFact,
  Descriptor,
  FilesystemFact,
  FilesystemPath,
  ObjectKey,
  ProcessFact,
} from './facts.ts';
import type { Holders } from './holders.ts';

/** An object's type and name, where they are known. */
export interface ObjectLabel {
  readonly type?: string;
  readonly name?: string;
}

/** Knows objects by more than their id. */
export type LabelOf = (object: ObjectKey) => ObjectLabel;

/**
 * A name in backticks, so that a reader sees where it ends: what could hide or forge something is escaped, a
 * backtick too.
 */
export function ticked(escaped: string): string {
  return `\`${escaped.replaceAll('`', '\\x60')}\``;
}

/** `map 5 `acl``; without a name, the type: `map 5 of type hash`. */
export function objectWords(object: ObjectKey, { type, name }: ObjectLabel): string {
  const known = `${object.kind} ${object.id}`;
  if (name !== undefined && name !== '') return `${known} ${ticked(escapeText(name))}`;
  return type === undefined ? known : `${known} of type ${escapeText(type)}`;
}

/** A byte string as it is where nothing in it can be mistaken, else in backticks and escaped. */
export function pathWords(path: string): string {
  return /^[\w./:@%+~=-]*[\w/:@%+~=-]$/.test(path) ? path : ticked(escapeName(bytesOf(path)));
}

/** `pid 812 `bird` (bird.service)`. */
export function processWords(pid: number, fact: ProcessFact | undefined): string {
  if (fact === undefined) return `pid ${pid}`;
  const { unit, container, pod, ecs_task, nomad_task, nomad_allocation } = ownerOfCgroup(fact.cgroup);
  const owners = [
    ...(unit === undefined || container !== undefined || nomad_task !== undefined
      ? []
      : [escapeName(bytesOf(unit))]),
    ...(container === undefined ? [] : [`container ${escapeName(bytesOf(container)).slice(0, 12)}`]),
    ...(pod === undefined ? [] : [`pod ${pod}`]),
    ...(ecs_task === undefined ? [] : [`ECS task ${ecs_task}`]),
    ...(nomad_task === undefined
      ? []
      : [`Nomad task ${escapeName(bytesOf(nomad_task))} of allocation ${nomad_allocation}`]),
  ];
  const owner = owners.length === 0 ? '' : ` (${owners.join(', ')})`;
  return `pid ${pid} ${ticked(escapeName(bytesOf(fact.comm)))}${owner}`;
}

/** Descriptors by process: `fd 7 of pid 812 `bird``, `fds 7 and 9 of pid …`. */
export function descriptorWords(descriptors: readonly Descriptor[], holders: Holders): string {
  const byPid = new Map<number, number[]>();
  for (const { pid, fd } of descriptors) {
    const fds = byPid.get(pid);
    if (fds === undefined) byPid.set(pid, [fd]);
    else fds.push(fd);
  }
  const each = [...byPid].map(([pid, fds]) => {
    const numbers = enumerate(fds.map(String), { max: 4 });
    return `${fds.length === 1 ? 'fd' : 'fds'} ${numbers} of ${processWords(pid, holders.processOf(pid))}`;
  });
  return enumerate(each, { max: 3 });
}

/** `tc ingress of eth0 in netns 4026531840`. */
export function attachmentWords(attachment: AttachmentFact): string {
  const { kind, attachType, device, cgroup, netns, map, event, filter } = attachment;
  const isSaid = attachType?.startsWith(kind) === true;
  const how = [...(isSaid ? [] : [kind]), ...(attachType === undefined ? [] : [escapeText(attachType)])];
  const places = [
    ...(device === undefined ? [] : [`of ${deviceWords(device)}`]),
    ...(cgroup === undefined ? [] : [`of cgroup ${cgroupWords(cgroup)}`]),
    ...(map === undefined ? [] : [`of map ${map}`]),
    ...(event === undefined ? [] : [`of ${escapeText(event.what)}`]),
    ...(netns === undefined ? [] : [`in netns ${netns.inode}`]),
    ...(filter === undefined ? [] : [`(${escapeName(bytesOf(filter))})`]),
  ];
  return [...how, ...places].join(' ');
}

function deviceWords({ ifindex, name }: { readonly ifindex: number; readonly name?: string }): string {
  return name === undefined ? `device ${ifindex}` : pathWords(name);
}

function cgroupWords({ id, path }: { readonly id: number; readonly path?: string }): string {
  return path === undefined ? String(id) : pathWords(path);
}

/** `the working directory of pid 812 `bird``. */
function standingWords(pids: readonly number[], holders: Holders): string {
  const each = pids.map((pid) => processWords(pid, holders.processOf(pid)));
  const what = pids.length === 1 ? 'the working directory' : 'working directories';
  return `${what} of ${enumerate(each, { max: 3 })}`;
}

/** Of a mount namespace that no process shows; of others the path says enough. */
function namespaceWords({ namespace, pid, boundAt }: FilesystemPath): string {
  if (pid !== undefined) return '';
  const kept = boundAt === undefined ? 'which no process shows' : `bound at ${pathWords(boundAt)}`;
  return ` in mount namespace ${namespace}, ${kept}`;
}

/** What is special about where a pin is; undefined for an ordinary, mounted bpffs. */
export function filesystemWords(filesystem: FilesystemFact, holders: Holders): string | undefined {
  const { mount, state, descriptors, standing = [], paths } = filesystem;
  if (state === 'detached') {
    const keepers = [
      ...(descriptors.length === 0 ? [] : [descriptorWords(descriptors, holders)]),
      ...(standing.length === 0 ? [] : [standingWords(standing, holders)]),
    ];
    const kept = keepers.length === 0 ? '' : `, kept by ${keepers.join(' and ')}`;
    return `bpffs ${mount}, which is mounted nowhere${kept}`;
  }
  const [first] = paths;
  const at = first === undefined ? '' : ` at ${pathWords(first.path)}${namespaceWords(first)}`;
  return state === 'shadowed' ? `bpffs ${mount}${at}, which another mount lies over` : `bpffs ${mount}${at}`;
}

/** `a, b and c`, or `a, b and 7 more`. */
export function enumerate(
  items: readonly string[],
  options: { readonly max: number; readonly word?: string },
): string {
  const { max, word = 'and' } = options;
  const shown = items.length > max ? items.slice(0, max) : items;
  const left = items.length - shown.length;
  const all = left === 0 ? shown : [...shown, `${left} more`];
  const last = all.at(-1) ?? '';
  return all.length < 2 ? last : `${all.slice(0, -1).join(', ')} ${word} ${last}`;
}
