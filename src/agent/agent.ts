import type { Hazard } from '../model/hazard.ts';
import type { ObjectKind } from '../model/kind.ts';
import type { PinPath } from '../model/path.ts';
import type { Caller } from '../model/role.ts';
import type { EventDocument } from '../model/schema/event.ts';
import type { NodeDocument } from '../model/schema/node.ts';
import type { ObjectDocument } from '../model/schema/object.ts';
import type { OperationDocument } from '../model/schema/operation.ts';
import type { MountDocument, PinDocument, TreeEntry } from '../model/schema/pin.ts';
import type { ProgramMachineCode } from '../model/schema/program-code.ts';
import type { BatchOperation, DirectoryRequest, PinPatch, PinRequest } from '../model/schema/request.ts';
import type { Store } from '../model/store.ts';
import type { EntryReads } from './reads/entries.ts';

/**
import type { EntryEdits } from './edit/map-edits.ts';
import type { WholeReading } from './holder/reading.ts';
 * What a node does, as the API sees it. Reads answer from the last observation and say when that was;
 * `fresh` observes first. Changes are synchronous critical sections: when one returns, it is applied.
 */
export interface Agent {
  readonly reads: Reads;
  readonly programs: ProgramReads;
  readonly types: TypeReads;
  /** What is in maps. */
  readonly entries: EntryReads;
  readonly changes: Changes;
  readonly store: Store;
  readonly statistics: Statistics;
  /** Undefined once recovery and the first full observation are done, otherwise why not yet. */
  /** What changes them. */
  readonly edits: EntryEdits;
  notReady(): string | undefined;
}

/** A list with the moment its facts were read. */
export interface Observed<Value> {
  readonly value: Value;
  readonly observedAt: Date;
}

/** Which instance a request means: `major:minor`, or undefined for the primary one. */
export type MountChoice = string | undefined;

/** Which pins a list is about; what is not given does not narrow it. */
export interface PinQuery {
  readonly mount: MountChoice;
  readonly prefix?: PinPath;
  readonly kind?: string;
  readonly type?: string;
  readonly name?: string;
  readonly id?: number;
  /** Empty text means pins without an owner. */
  readonly owner?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Which objects a list is about. */
export interface ObjectQuery {
  readonly kind?: ObjectKind;
  readonly type?: string;
  readonly name?: string;
  readonly pinned?: boolean;
}

/** A slice of a list in its stable order; `after` is the opaque position of the last item before it. */
export interface Slice {
  readonly after: string | undefined;
  readonly limit: number;
}

/** One slice of a list, with what is needed to ask for the next. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Position of the last item, when there are more. */
  readonly next: string | undefined;
  readonly total: number;
}

/**
 * Everything that changes nothing. Lists answer from the last observation, single resources from the
 * kernel.
 */
export interface Reads {
  node(): NodeDocument;
  mounts(): Observed<readonly MountDocument[]>;
  /** Observes everything that asks for it now; the next reads answer from that. */
  refresh(): Promise<void>;
  /** Pins in byte order of mount and path. @throws PinfoldError mount_not_found, bad_cursor */
  pins(query: PinQuery, slice: Slice): Observed<Page<PinDocument>>;
  /** One pin, always read from the kernel. @throws PinfoldError pin_not_found, mount_not_found, … */
  pin(path: PinPath, mount: MountChoice): Observed<PinDocument>;
  tree(
    query: { readonly mount: MountChoice; readonly prefix?: PinPath; readonly depth?: number },
    slice: Slice,
  ): Observed<Page<TreeEntry>>;
  /** @throws PinfoldError bad_cursor, not_supported with `--pins-only` */
  objects(query: ObjectQuery, slice: Slice): Observed<Page<ObjectDocument>>;
  /**
   * One object, always read from the kernel. @throws PinfoldError object_not_found, not_supported with
   * `--pins-only`
   */
  object(kind: ObjectKind, id: number): Observed<ObjectDocument>;
}

/** What programs consist of and how they run. */
export interface ProgramReads {
  /**
   * The instructions after verification, of a program that is not held any longer.
   *
   * @throws PinfoldError object_not_found, permission_denied, too_many_requests
   */
  instructions(id: number): Promise<ProgramListing>;
  /** @throws PinfoldError object_not_found, not_supported for interpreted programs, permission_denied */
  machineCode(id: number): { readonly code: Buffer; readonly document: ProgramMachineCode };
  /**
   * A program, and how it ran while the kernel measured, which it does no longer than this takes.
   *
   * @throws PinfoldError object_not_found, not_supported, not_ready where the signal cut it short
   */
  measured(id: number, durationMs: number, signal: AbortSignal): Promise<Observed<ObjectDocument>>;
}

/**
 * Instructions, made into bytes of an answer as they are asked for. Disposing makes room for other
 * programs.
 */
export interface ProgramListing extends Disposable {
  /** Eight bytes a slot (struct bpf_insn). */
  readonly code: Buffer;
  /** What `bpftool prog dump xlated` prints, with its options `opcodes` and `linum`. */
  text(options: { readonly opcodes: boolean; readonly linum: boolean }): AsyncIterable<Buffer>;
  /** The ProgramInstructions document. */
  json(): AsyncIterable<Buffer>;
}

/** As JSON, as a header in C, or as the bytes that were loaded. */
export type TypeFormat = 'json' | 'c' | 'raw';

/** What BTF objects consist of. */
export interface TypeReads {
  /** @throws PinfoldError object_not_found, invalid_input, not_supported, too_many_requests */
  types(id: number, format: TypeFormat): TypeListing;
}

/** Types, made into bytes of an answer as they are asked for. Disposing makes room for others. */
export interface TypeListing extends Disposable {
  readonly body: Buffer | AsyncIterable<Buffer>;
}

/** Who asks for a change, and what they allow. */
export interface ChangeContext {
  readonly caller: Caller;
  readonly requestId: string | null;
  readonly ifMatch: string | undefined;
  /** `If-None-Match: *`: create only. */
  readonly createOnly: boolean;
  readonly accept: ReadonlySet<Hazard>;
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** What a change came to. With `dryRun` nothing happened, and `plan` says what would. */
export interface ChangeResult {
  /** Undefined for a dry run and where nothing had to change. */
  readonly operationId: string | undefined;
  readonly created: boolean;
  readonly pin: PinDocument | undefined;
  readonly plan: readonly PlanStep[] | undefined;
  /** One a line of a batch. */
  readonly results?: readonly ChangeResult[];
}

/** One thing that would be done, in order; words of the API, for people and programs. */
export interface PlanStep {
  readonly action: string;
  readonly path: string;
  readonly path_bytes?: string;
  readonly detail: string;
  readonly hazards: readonly Hazard[];
}

/** Every change throws PinfoldError; `details.operation_id` names the operation where one was begun. */
export interface Changes {
  pin(path: PinPath, mount: MountChoice, request: PinRequest, context: ChangeContext): ChangeResult;
  patch(path: PinPath, mount: MountChoice, patch: PinPatch, context: ChangeContext): ChangeResult;
  unpin(path: PinPath, mount: MountChoice, context: ChangeContext): ChangeResult;
  makeDirectory(
    path: PinPath,
    mount: MountChoice,
    request: DirectoryRequest,
    context: ChangeContext,
  ): ChangeResult;
  removeDirectory(path: PinPath, mount: MountChoice, context: ChangeContext): ChangeResult;
  batch(operations: readonly BatchOperation[], mount: MountChoice, context: ChangeContext): ChangeResult;
  operation(id: string): OperationDocument | undefined;
}

/** Counts for metrics, read without touching the kernel. */
export interface Statistics {
  objectCounts(): readonly { readonly kind: string; readonly type: string; readonly count: number }[];
  pinCounts(): readonly { readonly mount: string; readonly kind: string; readonly count: number }[];
  /** Sum of references by kind: who holds is a pin, or anything else the kernel counts. */
  referenceCounts(): readonly {
    readonly kind: string;
    readonly counter: 'refcnt' | 'usercnt';
    readonly count: number;
  }[];
  observation(): {
    readonly ageSeconds: number;
    readonly passes: readonly {
      readonly pass: 'quick' | 'full';
      readonly count: number;
      readonly seconds: number;
    }[];
  };
  onOperation(
    listener: (operation: {
      readonly kind: string;
      readonly outcome: string;
      readonly code: string;
      readonly seconds: number;
    }) => void,
  ): void;
  onEvents(listener: (events: readonly EventDocument[]) => void): void;
  openFds(): number;
}
