/** Whom the path of a control group names; what it does not name is absent. */
export interface CgroupOwner {
  /** A systemd unit: `bird.service`, `session-3.scope`. */
  readonly unit?: string;
  /** A container's id, 64 hexadecimal digits; of LXC and nspawn the container's name. */
  readonly container?: string;
  /** A Kubernetes pod's uid, with hyphens. */
  readonly pod?: string;
  /** The id of an Amazon ECS task. */
  readonly ecs_task?: string;
  /** The name of a Nomad task, and the id of its allocation. */
  readonly nomad_task?: string;
  readonly nomad_allocation?: string;
}

/**
 * Reads who runs in a control group off its path.
 *
 * Shapes: systemd units (systemd, src/basic/cgroup-util.c); `docker-ID.scope`, `libpod-ID.scope`,
 * `crio-ID.scope` and `cri-containerd-ID.scope` of the systemd drivers, `docker/ID` and
 * `kubepods/…/podUID/ID` of the cgroupfs drivers, `….slice:cri-containerd:ID` where the two are mixed;
 * `lxc/NAME`, `lxc.payload.NAME`, `machine-NAME.scope` and `systemd-nspawn@NAME.service`; `ecs/TASK/ID` and
 * `ecstasks-TASK.slice/…` of Amazon ECS, whose containers on Fargate have `TASK-DIGITS` for an id;
 * `nomad.slice/…/ALLOCATION.TASK.scope` and `nomad/ALLOCATION.TASK` of Nomad. The innermost of each counts:
 * containers run in containers.
 */
export function ownerOfCgroup(path: string): CgroupOwner {
  const names = path.split('/').filter(Boolean).reverse();
  const unit = firstOf(names, unitOf, isService) ?? firstOf(names, unitOf);
  const container = firstOf(names, containerOf) ?? fargateOf(path) ?? lxcOf(path);
  const pod = firstOf(names, podOf);
  const ecs = ecsOf(path);
  const nomad = nomadOf(path);
  return {
    ...(unit === undefined ? {} : { unit }),
    ...(container === undefined ? {} : { container }),
    ...(pod === undefined ? {} : { pod }),
    ...(ecs === undefined ? {} : { ecs_task: ecs }),
    ...nomad,
  };
}

function firstOf(
  names: readonly string[],
  read: (name: string) => string | undefined,
  isWanted: (found: string) => boolean = () => true,
): string | undefined {
  for (const name of names) {
    const found = read(name);
    if (found !== undefined && isWanted(found)) return found;
  }
  return undefined;
}

function isService(unit: string): boolean {
  return unit.endsWith('.service');
}

/** systemd puts `_` before a unit's name that the kernel could take for a file of its own. */
function unitOf(name: string): string | undefined {
  return /^_?(.+\.(?:service|scope|socket|mount|swap))$/s.exec(name)?.[1];
}

function containerOf(name: string): string | undefined {
  if (/^(?:libpod|crio)-conmon-/.test(name)) return undefined;
  const id = /(?:^|[-:.])([0-9a-f]{64})(?:\.scope)?$/.exec(name)?.[1];
  return id ?? /^lxc\.payload\.(.+)$/s.exec(name)?.[1] ?? machineOf(name);
}

/** systemd writes a name's own hyphens as `\x2d`. Machines of libvirt's QEMU are no containers. */
function machineOf(name: string): string | undefined {
  const machine = /^(?:machine-(?!qemu\\x2d)(.+)\.scope|systemd-nspawn@(.+)\.service)$/s
    .exec(name)
    ?.slice(1)
    .find(Boolean);
  return machine?.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function lxcOf(path: string): string | undefined {
  return /(?:^|\/)lxc\/([^/]+)/.exec(path)?.[1];
}

/** Ids of tasks were UUIDs before they became 32 digits. */
function ecsOf(path: string): string | undefined {
  const id = '([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})';
  const found =
    new RegExp(`(?:^|/)ecs/(?:[^/]+/)?${id}(?:/|$)`).exec(path) ??
    new RegExp(`(?:^|/)ecstasks-${id}\\.slice(?:/|$)`).exec(path);
  return found?.[1];
}

/** Fargate gives containers no id of their own but a number in their task. */
function fargateOf(path: string): string | undefined {
  return /(?:^|\/)ecs\/[0-9a-f]{32}\/([0-9a-f]{32}-\d+)(?:\/|$)/.exec(path)?.[1];
}

function nomadOf(path: string): Pick<CgroupOwner, 'nomad_task' | 'nomad_allocation'> {
  const shape =
    /(?:^|\/)nomad(?:\.slice)?\/(?:[^/]+\/)*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([^/]+)/;
  const [, allocation, task] = shape.exec(path) ?? [];
  if (allocation === undefined || task === undefined) return {};
  return { nomad_allocation: allocation, nomad_task: task.replace(/\.scope$/, '') };
}

/** Static pods have the 32 digits of a hash for a uid. */
function podOf(name: string): string | undefined {
  const uid =
    /(?:^|-)pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice.*)?$/.exec(
      name,
    )?.[1];
  return uid?.replaceAll('_', '-');
}
