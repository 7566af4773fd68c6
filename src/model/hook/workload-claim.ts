/** A process for as long as which a workload's claim stands: a pid alone is used again. */
export interface BoundProcess {
  readonly pid: number;
  /** When it began, in clock ticks after boot. */
  readonly startTicks: number;
}

/** The labels under which a claim names its process: people see them, and they outlive the agent. */
export function labelsOfProcess({ pid, startTicks }: BoundProcess): Readonly<Record<string, string>> {
  return { pid: String(pid), pid_start_ticks: String(startTicks) };
}

/** What of a claim tells whose it is. */
export interface LabelledOwner {
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Whether a claim was made by a hook, for a workload that lives no longer than its boot.
 *
 * Owners that begin with `oci:` or `cni:` belong to hooks; whoever claims under such a name without the
 * label of the runtime is left alone.
 */
export function isOfWorkload({ owner, labels }: LabelledOwner): boolean {
  const runtime = labels['runtime'];
  return (runtime === 'oci' || runtime === 'cni') && owner.startsWith(`${runtime}:`);
}

/** The process whose end is the end of a claim; undefined where that is not known. */
export function boundProcessOf(claim: LabelledOwner | undefined): BoundProcess | undefined {
  if (claim === undefined || !isOfWorkload(claim)) return undefined;
  const [pid, startTicks] = ['pid', 'pid_start_ticks'].map((name) => numberIn(claim.labels[name]));
  return pid === undefined || startTicks === undefined ? undefined : { pid, startTicks };
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
