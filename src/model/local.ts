import type { Authority } from './cluster/certificate.ts';
import type { Settings } from './config.ts';
import type { Hazard } from './hazard.ts';
import type { Feature } from './schema/node.ts';
import type { MountPath } from './schema/pin.ts';

/**
 * What the command line needs of the machine it runs on, beside the API: `main.ts` hands it over, because the
 * command line may import neither the kernel nor the agent.
 */
export interface Local {
  /** Pinfold's own version. */
  readonly version: string;
  /**
   * Runs the agent until it is told to stop; resolves with the exit code. Environment and file come after the
   * flags.
   */
  runAgent(flags: Settings): Promise<number>;
  /** Runs a manager by itself, in the same way. */
  runManager(flags: Settings): Promise<number>;
  /** Makes the file of a fleet's key. @throws PinfoldError already_exists, storage_failed */
  initCluster(file: string): Promise<void>;
  /** A certificate authority in a directory of this machine. */
  readonly authority: Authority;
  /** Looks at the machine without changing anything. Never throws for what it finds. */
  inspect(places: LocalPlaces): Promise<MachineFacts>;
  /**
   * Releases what an agent that no longer runs left in its bpffs. @throws PinfoldError conflict while it runs
   */
  leave(places: LocalPlaces, options: LeaveOptions): Promise<LeaveReport>;
  /** Follows the hashes of the history kept in a state directory. @throws PinfoldError storage_failed */
  verifyHistory(stateDir: string): Promise<HistoryVerdict>;
}

/** Where an agent's things are. Plain paths of the host. */
export interface LocalPlaces {
  readonly bpffs: string;
  readonly stateDir: string;
  readonly runDir: string;
}

/** A file or directory as lstat shows it. */
export interface FileFacts {
  readonly path: string;
  readonly type: 'directory' | 'file' | 'socket' | 'symlink' | 'other';
  /** Permission bits with the sticky, setuid and setgid ones. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * One name in a staging directory, `<agent uuid>-<operation>`. Names are bytes; this is the escaped text
 * form.
 */
export interface StagingEntry {
  readonly name: string;
  /**
   * `ours`: of the agent whose state directory was looked at, `quarantine` where that keeps it on purpose,
   * `pinset` where it protects a pin or is a map that is being copied;
   * `other`: of another one; `unknown`: of nobody we know.
   */
  readonly madeBy: 'ours' | 'quarantine' | 'pinset' | 'other' | 'unknown';
}

/** One bpffs instance, as far as it can be seen from here. */
export interface MountFacts {
  /** `major:minor`. */
  readonly id: string;
  readonly paths: readonly MountPath[];
  readonly shadowed: boolean;
  readonly reachable: boolean;
}

/** What `pinfold doctor` judges. Absent members could not be found out. */
export interface MachineFacts {
  readonly uid: number;
  /** Effective capabilities by name, such as `CAP_SYS_ADMIN`. */
  readonly capabilities: readonly string[];
  readonly release: string;
  readonly nodeVersion: string;
  /** Undefined when bpf(2) answers; otherwise the errno's name, or what else kept it from being called. */
  readonly bpfRefused: string | undefined;
  readonly hasBtf: boolean;
  readonly features: readonly Feature[];
  /** What is mounted at the bpffs path now. */
  readonly bpffs: 'mounted' | 'not_mounted' | 'missing' | 'not_bpffs';
  readonly bpffsRoot: FileFacts | undefined;
  readonly mounts: readonly MountFacts[];
  readonly staging: { readonly directory: FileFacts | undefined; readonly entries: readonly StagingEntry[] };
  readonly stateDir: FileFacts | undefined;
  readonly tokenFile: FileFacts | undefined;
  /** Whether the agent takes the token in that file. */
  readonly isTokenTaken: boolean | undefined;
  readonly runDir: FileFacts | undefined;
  readonly socket: FileFacts | undefined;
  /** Who listens on the socket: the process where it can be seen. Undefined when nobody does. */
  readonly listener: { readonly pid: number | undefined } | undefined;
}

/** How `pinfold leave` goes about it. */
export interface LeaveOptions {
  readonly dryRun: boolean;
  /** Hazards that are accepted; an entry with any other stays and is listed. */
  readonly accept: ReadonlySet<Hazard>;
}

/** What `pinfold leave` did, or with `dryRun` would do. */
export interface LeaveReport {
  /** Pins in quarantine that have their names back. */
  readonly restored: readonly string[];
  readonly released: readonly string[];
  /** What may not be released, each with the reason. */
  readonly kept: readonly {
    readonly name: string;
    readonly reason: string;
    readonly hazards: readonly Hazard[];
  }[];
  readonly removedStaging: boolean;
}

/** What following the hashes of a history came to. */
export interface HistoryVerdict {
  /** Events that are as they were written, from the oldest that is kept. */
  readonly verified: number;
  /** Events of an older Pinfold, which had no hashes. */
  readonly unchained: number;
  /** Absent where all is well. */
  readonly fault?: HistoryFault;
}

/** The first event that is not what it was. */
export interface HistoryFault {
  readonly seq: number;
  /** Ends a sentence about it. */
  readonly what: string;
}
