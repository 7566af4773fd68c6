import type { Hazard } from '../model/hazard.ts';
import type { ObjectKey } from '../model/holder/facts.ts';
import type { HeldBy } from '../model/holder/held-by.ts';
import type { ObjectKind, PinnableKind } from '../model/kind.ts';
import type { PinPath } from '../model/path.ts';
import type { Caller } from '../model/role.ts';
import type { EventDocument } from '../model/schema/event.ts';
import type { FindingDocument, FindingRuleDocument, RuleId } from '../model/schema/finding.ts';
import type { HolderGraph, WhyDocument } from '../model/schema/holder.ts';
import type { MapTypes } from '../model/schema/map-types.ts';
import type { NodeDocument } from '../model/schema/node.ts';
import type { ObjectDocument, References } from '../model/schema/object.ts';
import type { OperationDocument } from '../model/schema/operation.ts';
import type { MountDocument, PinDocument, TreeEntry } from '../model/schema/pin.ts';
import type { PinThenDocument } from '../model/schema/pin-then.ts';
import type { ProgramMachineCode } from '../model/schema/program-code.ts';
import type { BatchOperation, DirectoryRequest, PinPatch, PinRequest } from '../model/schema/request.ts';
import type { WaitCondition, WaitDocument } from '../model/schema/wait.ts';
import type { Statistics } from '../model/statistics.ts';
import type { Store } from '../model/store.ts';
import type { PinSetMeans } from './aside/pinset-means.ts';
import type { Claims } from './claim/contract.ts';
import type { BatchEdits } from './edit/batches.ts';
import type { Creation } from './edit/create-map.ts';
import type { EntryEdits } from './edit/map-edits.ts';
import type { GarbageCollection } from './gc/collection.ts';
import type { WholeReading } from './holder/reading.ts';
import type { Hooks } from './hook/hooks.ts';
import type { QuarantinedPins } from './quarantine/quarantine.ts';
import type { EntryReads } from './reads/entries.ts';
import type { UsageReads } from './reads/usage.ts';
import type { Specifications } from './specification/reads.ts';

/**
 * What a node does, as the API sees it. Reads answer from the last observation and say when that was;
 * `fresh` observes first. Changes are carried out in critical sections: when one resolves, it is applied.
 */
export interface Agent {
  readonly reads: Reads;
  readonly holders: HolderReads;
  readonly history: HistoryReads;
  readonly findings: FindingReads;
  readonly programs: ProgramReads;
  readonly types: TypeReads;
  /** What is in maps. */
  readonly entries: EntryReads;
  /** What changes them. */
  readonly edits: EntryEdits;
  /** What changes many of them at once. */
  readonly batches: BatchEdits;
  /** What makes maps. */
  readonly creation: Creation;
  /** What reconciling pin sets needs besides. */
  readonly pinsets: PinSetMeans;
  /** What maps and programs were made with. */
  readonly specifications: Specifications;
  /** Who takes most. */
  readonly usage: UsageReads;
  /** Who waits for a pin. */
  readonly waits: Waits;
  /** What runtimes of containers and networks ask for. */
  readonly hooks: Hooks;
  /** Who needs which pin. */
  readonly claims: Claims;
  /** What nobody needs. */
  readonly gc: GarbageCollection;
  readonly quarantine: QuarantinedPins;
  readonly changes: Changes;
  readonly store: Store;
  readonly statistics: Statistics & Announcements;
  /** Undefined once recovery and the first full observation are done, otherwise why not yet. */
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
  /** Whether somebody claims it. */
  readonly claimed?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Which objects a list is about. */
export interface ObjectQuery {
  readonly kind?: ObjectKind;
  readonly type?: string;
  readonly name?: string;
  readonly pinned?: boolean;
  /** Processes that hold it themselves. */
  readonly heldBy?: HeldBy;
  /** Those a rule objects to. */
  readonly finding?: RuleId;
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
  /** What else is said of this slice, as members of the answer. */
  readonly about?: Readonly<Record<string, unknown>>;
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

/** Who holds what, read from the kernel for the answer. */
export interface HolderReads {
  /** @throws PinfoldError object_not_found, not_supported with `--pins-only` */
  holders(kind: PinnableKind, id: number): HolderGraph;
  /** The same with sentences, and what each pin's removal would cost. @throws PinfoldError as `holders` */
  why(kind: PinnableKind, id: number): WhyDocument;
  /** Keys (`map:5`) of what some processes hold, of a reading up to a second old. @throws PinfoldError */
  heldBy(choice: HeldBy): ReadonlySet<string>;
  /** Everything that holds anything, up to a second old. @throws PinfoldError not_supported */
  recent(): WholeReading;
  /**
   * Who holds an object by numbers, up to a second old, without the kernel's counters. Empty where the object
   * came after; undefined for BTF.
   */
  referencesOf(object: ObjectKey): Partial<References> | undefined;
}

/** A moment of history: a time, or right after an event. */
export type ThenQuestion = { readonly time: string } | { readonly seq: number };

/** What was, as far as events tell. */
export interface HistoryReads {
  /**
   * What a path held then, also where nobody can know. Without a mount: in the instance that was the agent's
   * own then.
   *
   * @throws PinfoldError mount_not_found, mount_unavailable, invalid_input, not_ready
   */
  pinAt(path: PinPath, mount: MountChoice, at: ThenQuestion): PinThenDocument;
}

/** What is worth a person's attention, as of the last time the rules were tried. */
export interface FindingReads {
  /** Has the next fresh observation try all rules on what is there then. */
  ask(): void;
  /** Everything that is open, by rule. */
  list(): readonly FindingDocument[];
  rules(): readonly FindingRuleDocument[];
  /** That a rule was tried, so that no finding means that there is none. @throws PinfoldError */
  assertTried(rule: RuleId): void;
  /** Keys (`map:5`) of the objects a rule objects to. @throws PinfoldError not_ready, not_supported */
  objectsOf(rule: RuleId): ReadonlySet<string>;
  /** When rules were tried last; undefined before the first time. */
  observedAt(): Date | undefined;
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
  types(id: number, format: TypeFormat): Promise<TypeListing>;
  /** Of a map’s keys and values. @throws PinfoldError object_not_found, invalid_input, not_supported */
  ofMap(id: number): MapTypes;
}

/**
 * Types as the bytes of an answer. Pieces are made in a thread as they are asked for, and each is lent: it
 * changes once the next is asked for. Disposing makes room for others, and ends what is not read to its end.
 */
export interface TypeListing extends Disposable {
  readonly body: Buffer | AsyncIterable<Uint8Array>;
  /** Calls when the place of a listing whose reader takes nothing is given to another. */
  onCut(listener: () => void): void;
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

/** Every change rejects with PinfoldError; `details.operation_id` names the operation where one was begun. */
export interface Changes {
  pin(path: PinPath, mount: MountChoice, request: PinRequest, context: ChangeContext): Promise<ChangeResult>;
  patch(path: PinPath, mount: MountChoice, patch: PinPatch, context: ChangeContext): Promise<ChangeResult>;
  unpin(path: PinPath, mount: MountChoice, context: ChangeContext): Promise<ChangeResult>;
  makeDirectory(
    path: PinPath,
    mount: MountChoice,
    request: DirectoryRequest,
    context: ChangeContext,
  ): Promise<ChangeResult>;
  removeDirectory(path: PinPath, mount: MountChoice, context: ChangeContext): Promise<ChangeResult>;
  batch(
    operations: readonly BatchOperation[],
    mount: MountChoice,
    context: ChangeContext,
  ): Promise<ChangeResult>;
  operation(id: string): OperationDocument | undefined;
}

/** What somebody waits for, and for how long. */
export interface WaitQuestion {
  readonly path: PinPath;
  readonly mount: MountChoice;
  readonly wanted: WaitCondition;
  readonly timeoutMs: number;
  /** `changed` counts from these tags, or from this event; otherwise from what is there now. */
  readonly etags?: string | undefined;
  readonly since?: number | undefined;
}

/** Answers when a pin is as somebody wants it, decided by what the kernel says when something moved. */
export interface Waits {
  /**
   * Resolves when the condition is met, or when the time is over. Rejects when the signal aborts.
   *
   * @throws PinfoldError mount_not_found, invalid_input for `attached` of a map, not_supported,
   * too_many_requests, not_ready when the agent stops
   */
  wait(question: WaitQuestion, signal: AbortSignal): Promise<WaitDocument>;
  /** Answers all who wait that the agent stops, and whoever comes from now on. */
  release(): void;
}

/** Who wants to hear of events, once they are committed. */
export interface Announcements {
  onEvents(listener: (events: readonly EventDocument[]) => void): void;
  /** Tells them; for who writes events beside the observer and the operations. */
  announce(events: readonly EventDocument[]): void;
}
