import type { Claim } from './claim/claim.ts';
import type { PinSetRecords } from './cluster/pinset/records.ts';
import type { ClusterStore } from './cluster/store.ts';
import type { ObjectKind, PinnableKind } from './kind.ts';
import type { EventDocument, NewEvent } from './schema/event.ts';
import type { ObjectInfo } from './schema/object.ts';
import type { OperationDocument, OperationKind, Outcome } from './schema/operation.ts';
import type { SpecifiedKind } from './schema/specification.ts';
import type { TokenRecords } from './token-records.ts';
import type { UnheldRecords } from './unheld.ts';
import type { WebhookRecords } from './webhook/records.ts';

export type { TokenRecord, TokenRecords } from './token-records.ts';

/**
 * What is kept on disk. `src/store` implements it on SQLite; everybody else knows only these words.
 *
 * All calls are synchronous and commit before they return, unless inside `transaction`. A full disk is
 * PinfoldError storage_full, any other failure of the database storage_failed.
 */
export interface Store {
  /** Of this database: a backup of it has another. */
  readonly identity: string;
  readonly journal: Journal;
  readonly pins: PinRecords;
  readonly objects: ObjectRecords;
  readonly specifications: SpecificationRecords;
  readonly claims: ClaimRecords;
  readonly events: EventLog;
  readonly paths: PathHistory;
  readonly quarantine: QuarantineRecords;
  readonly pinsets: PinSetRecords;
  readonly tokens: TokenRecords;
  readonly idempotency: IdempotencyRecords;
  readonly settings: Settings;
  readonly webhooks: WebhookRecords;
  readonly unheld: UnheldRecords;
  /** All of it or nothing; nested calls join the outer one. */
  transaction<Result>(body: () => Result): Result;
  /**
   * One round of clean-up of what retention no longer keeps: a small transaction a table,
   * limits.deleteChunkRows rows each. Answers how many rows went; 0 means nothing is left to remove.
   */
  prune(): number;
  /** Events that clean-up has removed since the store was opened. */
  removedEvents(): RemovedEvents;
  /**
   * Copies the database to a new file while it is used; the file is 0600. Resolves with its size in bytes.
   *
   * @throws PinfoldError already_exists, invalid_input, storage_full, storage_failed
   */
  backup(file: string): Promise<{ readonly bytes: number }>;
  /** The fleet's store for a machine without etcd, kept here. */
  openCluster(): ClusterStore;
  close(): void;
}

/** A journalled wish: committed before the kernel is touched, settled after. */
export interface Intent {
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly bootId: string;
  /** The bpffs instance it happens in (`MountDocument.instance`). */
  readonly instance: string;
  readonly startedAt: string;
  readonly actor: string;
  readonly requestId: string | null;
  /** For `GET /v1/operations/{id}`: mount, path and what else a person asks about. */
  readonly subject: Readonly<Record<string, unknown>>;
  readonly accepted: readonly string[];
  /** What recovery needs; its shape belongs to the operation's kind (src/agent/journal). JSON. */
  readonly plan: unknown;
}

/** Intents and their outcomes. `GET /v1/operations/{id}` finds settled ones until retention removes them. */
export interface Journal {
  begin(intent: Intent): void;
  /** Replaces the plan of an open intent, where a later step learns what recovery must know. */
  amend(operationId: string, plan: unknown): void;
  settle(operationId: string, outcome: Exclude<Outcome, 'running'>, at: string, detail: string | null): void;
  listOpen(): readonly Intent[];
  find(operationId: string): OperationDocument | undefined;
}

/**
 * Which inode a pin is: never used again within an instance, which says what boot and superblock it is in.
 */
export interface PinIdentity {
  readonly instance: string;
  readonly inode: number;
  /** Nanoseconds since the epoch, as decimal text. */
  readonly mtimeNs: string;
}

/** One pin ever seen, from its appearance to its end. */
export interface PinRecord extends PinIdentity {
  readonly mount: string;
  /** Byte string, see PinPath. A hard link is a second record with the same identity and another path. */
  readonly path: string;
  readonly kind: PinnableKind;
  readonly objectId: number | null;
  readonly fingerprint: string | null;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly goneAt: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly owner: string | null;
  readonly managed: boolean;
}

/** The pins ever seen; what is present and what was. */
export interface PinRecords {
  /**
   * Inserts or, for the same identity and path, updates everything but firstSeen. Clears goneAt. Another
   * identity that was present at that path of the instance is gone from then on (its goneAt is the new one's
   * lastSeen).
   */
  put(records: readonly PinRecord[]): void;
  markGone(pins: readonly { readonly instance: string; readonly path: string }[], at: string): void;
  /** Those without goneAt; of one instance, or of all. */
  listPresent(instance?: string): readonly PinRecord[];
  /** What is present at a path of an instance. Cost: one row. */
  findPresent(instance: string, path: string): PinRecord | undefined;
  /** The names that an inode has at present. Cost: a look at each row of the instance. */
  listNames(identity: PinIdentity): readonly PinRecord[];
  /** Every incarnation a path had: the present one, then newest first. */
  history(mount: string, path: string, limit: number): readonly PinRecord[];
}

/** One object ever seen; the same id with another fingerprint is another object. */
export interface ObjectRecord {
  readonly bootId: string;
  readonly kind: ObjectKind;
  readonly id: number;
  readonly fingerprint: string;
  readonly info: ObjectInfo;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly goneAt: string | null;
}

/** Which object a record is of: an id alone is used again. */
export type ObjectIdentity = Pick<ObjectRecord, 'bootId' | 'kind' | 'id' | 'fingerprint'>;

/** The objects ever seen; what is present and what was. */
export interface ObjectRecords {
  /**
   * Inserts or, for the same boot, kind, id and fingerprint, updates info and lastSeen. Clears goneAt.
   * Another fingerprint that was present under that id is gone from then on.
   */
  put(records: readonly ObjectRecord[]): void;
  markGone(objects: readonly ObjectIdentity[], at: string): void;
  listPresent(bootId: string): readonly ObjectRecord[];
  /** Everything that ever had this id: what has it now, then newest first. */
  history(kind: ObjectKind, id: number, limit: number): readonly ObjectRecord[];
  /** Objects of other boots are gone: the kernel they lived in is. Answers how many were marked. */
  markOtherBootsGone(bootId: string, at: string): number;
}

/** What an object was made with, as a document and the bytes that belong to it (BTF, instructions…). */
export interface SpecificationRecord extends ObjectIdentity {
  readonly kind: SpecifiedKind;
  readonly recordedAt: string;
  /** JSON. */
  readonly document: unknown;
  readonly parts: Readonly<Record<string, Uint8Array>>;
}

/** One object ever seen; `specification` is undefined where it was gone before that was stored. */
export interface SpecifiedObject {
  readonly object: ObjectRecord;
  readonly specification: Pick<SpecificationRecord, 'recordedAt' | 'document' | 'parts'> | undefined;
}

/** Which specifications are wanted; members that are absent do not restrict. */
export interface SpecificationQuery {
  readonly kind?: SpecifiedKind;
  readonly id?: number;
  readonly name?: string;
  /** Byte string: objects that are or were pinned at this path of any instance. */
  readonly path?: string;
  readonly state?: 'present' | 'gone';
  /** Those that were first seen before the row with this number. */
  readonly before?: number;
  readonly limit: number;
}

/** A line of the list of specifications, and the number of its row. */
export interface SpecificationLine {
  readonly seq: number;
  readonly object: ObjectRecord;
  readonly recordedAt: string;
  readonly pins: readonly Pick<PinRecord, 'mount' | 'path'>[];
}

/** The last specification of every object; they go when retention forgets the object. */
export interface SpecificationRecords {
  /**
   * Stores or replaces, for objects that are in `objects`. Equal bytes are stored once. Bytes for which
   * limits.specificationBytesMax leaves no room are left out; answers how many parts those were.
   */
  put(records: readonly SpecificationRecord[]): number;
  /** The object that has this id or had it last, or the one with that fingerprint. */
  find(kind: SpecifiedKind, id: number, fingerprint?: string): SpecifiedObject | undefined;
  /** Maps and programs of a boot that are present and have none yet. */
  listMissing(bootId: string): readonly ObjectIdentity[];
  /** Newest first. */
  list(query: SpecificationQuery): readonly SpecificationLine[];
  count(query: Omit<SpecificationQuery, 'limit' | 'before'>): number;
}

/** The claims there are; an agent reads them once and keeps them in memory. */
export interface ClaimRecords {
  list(): readonly Claim[];
  /** Inserts, or puts it in place of the owner's claim. */
  put(claim: Claim): void;
  /** Stores the deadline alone, with when it was set and by whom. */
  renew(claim: Claim): void;
  remove(claim: Claim): void;
}

/** Which events are wanted; members that are absent do not restrict. */
export interface EventQuery {
  readonly afterSeq?: number;
  /** From this time on, itself included. */
  readonly since?: string;
  /** Up to this time, itself not included. */
  readonly until?: string;
  readonly types?: readonly string[];
  readonly mount?: string;
  /** Byte string; events of this pin and, with `within`, of everything below it. */
  readonly path?: string;
  readonly within?: boolean;
  readonly kind?: string;
  readonly id?: number;
  readonly actor?: string;
  readonly limit: number;
}

/** An event and its hash, in hexadecimal digits; those of older schemas have none. */
export interface HashedEvent {
  readonly event: EventDocument;
  readonly hash: string | undefined;
}

/** History, numbered. */
export interface EventLog {
  /** Numbers them in order, without holes. */
  append(events: readonly NewEvent[]): readonly EventDocument[];
  list(query: EventQuery): readonly EventDocument[];
  /** The same, with what makes each a place that another history does not have. */
  listHashed(query: EventQuery): readonly HashedEvent[];
  count(query: Omit<EventQuery, 'limit'>): number;
  lastSeq(): number;
  /** The hash of an event in hexadecimal digits; undefined where it has none, or is not known any more. */
  hashAt(seq: number): string | undefined;
  /** What is kept of it. */
  extent(): HistoryExtent;
  /** Removes events up to a number, the oldest first, at most `rowsMax`; says how many. */
  prune(upToSeq: number, rowsMax: number): number;
  /** Removes the oldest until all take no more than that, at most `rowsMax`; says how many. */
  pruneToBytes(bytesMax: number, rowsMax: number): number;
}

/** How much of history is kept. */
export interface HistoryExtent {
  /** The number of the last event that retention has removed, or that stands before the chain of hashes. */
  readonly floor: number;
  readonly lastSeq: number;
  /** What it takes in the database, about. */
  readonly bytes: number;
  /** Of the last event, in hexadecimal digits: whoever notes it elsewhere can tell if history is changed. */
  readonly hash: string;
}

/** Events that clean-up has removed, by what they were too much of. */
export interface RemovedEvents {
  readonly age: number;
  readonly count: number;
  readonly size: number;
}

/** A name in one instance. */
export interface PinName {
  readonly mount: string;
  /** Byte string. */
  readonly path: string;
}

/** What history says of one name and one moment. Events that let a pin leave the name are told, too. */
export interface PathHistory {
  /** The last event of the name up to a number. */
  before(name: PinName, seq: number): EventDocument | undefined;
  /** The next one after it. */
  after(name: PinName, seq: number): EventDocument | undefined;
  find(seq: number): EventDocument | undefined;
  /**
   * The last event of the minute that ends with the latest event not after this time: the order is that of
   * the numbers, also where the clock of the day was set. Undefined where nothing that is kept is so old.
   */
  seqAt(time: string): number | undefined;
  /** The instance that was the agent's own when it was last told of. */
  primaryAt(seq: number): string | undefined;
  /** The last start of the agent up to a number. */
  startBefore(seq: number): EventDocument | undefined;
}

/** A pin that was moved aside: its name is gone, an entry of the staging directory still holds its object. */
export interface QuarantineRecord {
  /** Of the operation that moved it, and `-<n>` for further ones of it. */
  readonly id: string;
  /** Its name in the staging directory; byte string. */
  readonly slot: string;
  readonly bootId: string;
  readonly instance: string;
  readonly mount: string;
  /** Where it was; byte string. */
  readonly path: string;
  readonly kind: PinnableKind;
  readonly objectId: number;
  /** The pin as it was; its shape belongs to src/agent/journal. JSON. */
  readonly pin: unknown;
  /** By which rule; null where nobody meant to move it. */
  readonly rule: string | null;
  readonly why: string;
  /** The operation of the clean-up that took it. */
  readonly run: string | null;
  readonly minAgeMs: number;
  readonly quarantinedAt: string;
  /** When it may go for good, on CLOCK_BOOTTIME of that boot; null: never by itself. */
  readonly dueBoottimeMs: number | null;
}

/** Which quarantined pins are wanted; members that are absent do not restrict. */
export interface QuarantineQuery {
  readonly run?: string;
  readonly mount?: string;
  /** Byte string; itself, and with `within` everything below it. */
  readonly path?: string;
  readonly within?: boolean;
  /** Those after this one, in the order in which they came. */
  readonly afterSeq?: number;
  readonly limit: number;
}

/** A record, and the number of its row. */
export interface QuarantineRow {
  readonly seq: number;
  readonly record: QuarantineRecord;
}

/** The pins in quarantine. */
export interface QuarantineRecords {
  /** Inserts, or replaces what has the same id. */
  put(record: QuarantineRecord): void;
  /** Answers whether there was one. */
  remove(id: string): boolean;
  find(id: string): QuarantineRecord | undefined;
  /** The newest that was at this path. */
  findAt(mount: string, path: string): QuarantineRecord | undefined;
  /** Those whose object this is. */
  ofObject(kind: PinnableKind, objectId: number): readonly QuarantineRecord[];
  list(query: QuarantineQuery): readonly QuarantineRow[];
  count(query: Omit<QuarantineQuery, 'limit' | 'afterSeq'>): number;
  /** Those whose time is over at this moment of this boot, oldest first. */
  listDue(bootId: string, boottimeMs: number, limit: number): readonly QuarantineRecord[];
  /** Removes what was in quarantine under other kernels, whose pins went with them; says how many. */
  forgetOtherBoots(bootId: string): number;
}

/** The answer a request with an `Idempotency-Key` was given, for its repetitions. */
export interface IdempotencyRecord {
  readonly caller: string;
  readonly key: string;
  /** SHA-256 of method, URL and body. */
  readonly requestHash: Uint8Array;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly createdAt: string;
}

/** Such answers, found for limits.idempotencyKeepMs. */
export interface IdempotencyRecords {
  find(caller: string, key: string): IdempotencyRecord | undefined;
  put(record: IdempotencyRecord): void;
  prune(olderThan: string): void;
}

/** Small named facts about this agent that outlive it: its uuid, the last boot id, when it last observed. */
export interface Settings {
  get(name: string): string | undefined;
  set(name: string, value: string): void;
}
