import type { Consistency } from '../../kernel/entries/map-types.ts';
import type { ErrorCode, ErrorDetails } from '../../model/error.ts';
import type { Json } from '../../model/json.ts';
import type { EntryChoice } from '../../model/schema/entry.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';

/** A map the main thread has open for a job; it is closed when the job has ended. */
export interface OpenMap {
  readonly fd: number;
  readonly info: MapInfo;
}

/** What is to be read of a map. Positions are what an earlier summary gave as `next`. */
export type Task =
  | {
      readonly kind: 'stream';
      readonly position?: string;
      readonly rowsMax: number;
      readonly follow: boolean;
    }
  | { readonly kind: 'page'; readonly position?: string; readonly limit: number }
  | { readonly kind: 'entry'; readonly key: { readonly hex: string } | { readonly json: Json } }
  | { readonly kind: 'count' }
  | { readonly kind: 'peek' };

/** How far one job may go before it stops and says so. */
export interface Bounds {
  readonly bytesMax: number;
  readonly ms: number;
}

/** Everything a thread must know to read. */
export interface JobSpec {
  readonly map: OpenMap;
  readonly possibleCpus: number;
  readonly choice: EntryChoice;
  readonly task: Task;
  readonly bounds: Bounds;
}

/** Types that are to be written out. */
export interface TypesSpec {
  readonly format: 'c' | 'json';
  /** Bytes that the main thread has read; or `vmlinux` or a module, whose types lie in files. */
  readonly source: { readonly blob: Uint8Array } | { readonly ofKernel: string };
}

/** What a job came to. */
export interface JobSummary {
  readonly count: number;
  readonly complete: boolean;
  readonly consistency: Consistency;
  /** Of a count that needed no reading. */
  readonly method?: 'max_entries';
  /** The tag of a single entry's value. */
  readonly etag?: string;
  /** Where another job could go on; absent at the end. */
  readonly next?: string;
  /** Why it is not complete: which bound, or too many changes meanwhile. */
  readonly stopped?: 'rows' | 'bytes' | 'time' | 'changes';
}

/** Text in memory that both threads see. */
export interface Piece {
  readonly slot: number;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
}

/** From the main thread, of a job. `took` gives the memory of a piece back; `opened` answers `open`. */
export type JobMessage =
  | { readonly type: 'run'; readonly job: number; readonly spec: JobSpec | TypesSpec }
  | { readonly type: 'took'; readonly job: number; readonly slot: number }
  | { readonly type: 'cancel'; readonly job: number }
  | { readonly type: 'opened'; readonly job: number; readonly map: OpenMap | undefined };

/** From the main thread. After `end` there is no more: all jobs are cancelled, and the thread ends. */
export type ToWorker = JobMessage | { readonly type: 'end' };

/**
 * To the main thread. The bytes of a piece are lent: they stay what they are until its slot is given back.
 * After `done` or `failed` the job uses no descriptor any more.
 */
export type FromWorker =
  | { readonly type: 'piece'; readonly job: number; readonly piece: Piece }
  | { readonly type: 'open'; readonly job: number; readonly id: number }
  | { readonly type: 'close'; readonly job: number; readonly fd: number }
  | { readonly type: 'done'; readonly job: number; readonly summary: JobSummary }
  | { readonly type: 'failed'; readonly job: number; readonly failure: Failure };

/** An error on its way between threads, where classes are lost. */
export type Failure =
  | { readonly code: ErrorCode; readonly details: ErrorDetails }
  | { readonly message: string };
