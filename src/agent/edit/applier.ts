import {
  type BatchOutcome,
  canBatch,
  deleteBatch,
  type EditMode,
  tryDelete,
  tryUpdate,
  updateBatch,
} from '../../kernel/edit/elements.ts';
import { type GivenReference, referenceIn } from '../../kernel/edit/reference-input.ts';
import { editRefusal } from '../../kernel/edit/refusal.ts';
import { isPinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { EditFailure } from '../../model/schema/entry-batch.ts';
import { type Edit, type EditBench, editOne } from './edit-one.ts';

/** How the entries of one batch are carried out. */
export interface ApplierOptions {
  readonly mode: EditMode;
  /** The kernel is asked nothing: what is understood counts as done. */
  readonly isDry: boolean;
}

/** Bytes of keys and values that one call takes. */
const batchBytes = 256 * 1024;

/**
 * Carries out many edits of one map, in the order in which they come, and counts what came of each.
 *
 * Those of one kind are gathered until a call is full, where the kernel has a batch for them. It stops at
 * the first it refuses: that one is noted, and the next call begins behind it.
 */
export class Applier {
  readonly #bench: EditBench;
  readonly #options: ApplierOptions;
  readonly #keySize: number;
  readonly #valueSize: number;
  readonly #capacity: number;
  readonly #keys: Buffer;
  readonly #values: Buffer;
  readonly #hasBatch: Readonly<Record<Edit['action'], boolean>>;
  readonly #failures: EditFailure[] = [];
  #action: Edit['action'] = 'put';
  #gathered = 0;
  /** Edits that have come, refused ones too: the index of the next. */
  #come = 0;
  #failed = 0;

  constructor(bench: EditBench, options: ApplierOptions) {
    const { shape, rule } = bench.editing;
    this.#bench = bench;
    this.#options = options;
    this.#keySize = shape.keySize;
    this.#valueSize = shape.wireSize;
    const entryBytes = Math.max(shape.keySize + shape.wireSize, 1);
    this.#capacity = Math.min(Math.max(Math.floor(batchBytes / entryBytes), 1), limits.editBatchEntries);
    this.#keys = Buffer.alloc(this.#capacity * shape.keySize);
    this.#values = Buffer.alloc(this.#capacity * shape.wireSize);
    const { batches } = rule;
    this.#hasBatch = {
      put: batches !== undefined && options.mode === 'any' && canBatch(bench.map.fd, 'BPF_MAP_UPDATE_BATCH'),
      remove: batches === 'both' && canBatch(bench.map.fd, 'BPF_MAP_DELETE_BATCH'),
    };
  }

  /** Edits that were carried out; those gathered are not until `flush`. */
  get done(): number {
    return this.#come - this.#gathered - this.#failed;
  }

  get failed(): number {
    return this.#failed;
  }

  /** The first of those that failed. */
  get failures(): readonly EditFailure[] {
    return this.#failures;
  }

  /** The index of the edit that comes next. */
  get next(): number {
    return this.#come;
  }

  put(key: Buffer | undefined, value: Buffer, reference?: GivenReference): void {
    if (reference !== undefined || this.#bench.editing.rule.reference !== undefined) {
      this.#single({ action: 'put', key, value, mode: this.#options.mode, ...(reference && { reference }) });
      return;
    }
    this.#begin('put');
    key?.copy(this.#keys, this.#gathered * this.#keySize);
    value.copy(this.#values, this.#gathered * this.#valueSize);
    this.#add();
  }

  remove(key: Buffer): void {
    if (this.#bench.editing.rule.reference !== undefined) {
      this.#single({ action: 'remove', key });
      return;
    }
    this.#begin('remove');
    key.copy(this.#keys, this.#gathered * this.#keySize);
    this.#add();
  }

  /** Takes packed entries from an offset, as many as one call holds, and answers how many it took. */
  takePacked(action: Edit['action'], bytes: Buffer, at: number): number {
    const valueSize = action === 'put' ? this.#valueSize : 0;
    const entrySize = this.#keySize + valueSize;
    const there = Math.floor((bytes.length - at) / entrySize);
    if (this.#bench.editing.rule.reference !== undefined) {
      if (there > 0) this.#packedSingle(action, bytes.subarray(at, at + entrySize));
      return Math.min(there, 1);
    }
    if (there > 0) this.#begin(action);
    const count = Math.min(there, this.#capacity - this.#gathered);
    for (let index = 0, from = at; index < count; index++, from += entrySize) {
      this.#gather(bytes, from, this.#gathered + index, valueSize);
    }
    this.#gathered += count;
    this.#come += count;
    if (this.#gathered === this.#capacity) this.flush();
    return count;
  }

  /** Notes an edit that could not be understood. @throws what is no expected failure */
  refuse(error: unknown): void {
    if (!isPinfoldError(error)) throw error;
    this.flush();
    const index = this.#come++;
    this.#fail({ index, code: error.code, detail: error.message });
  }

  /** Carries out what was gathered. */
  flush(): void {
    const count = this.#gathered;
    const first = this.#come - count;
    this.#gathered = 0;
    if (this.#options.isDry) return;
    for (let from = 0; from < count; ) {
      const { count: done, errno } = this.#hasBatch[this.#action]
        ? this.#callBatch(from, count - from)
        : this.#callOne(from);
      from += done;
      if (errno === undefined) continue;
      const { code, message: detail } = editRefusal(this.#bench.editing, this.#action, errno);
      this.#fail({ index: first + from, code, detail });
      from++;
    }
  }

  #begin(action: Edit['action']): void {
    if (this.#action === action) return;
    this.flush();
    this.#action = action;
  }

  #add(): void {
    this.#gathered++;
    this.#come++;
    if (this.#gathered === this.#capacity) this.flush();
  }

  #single(edit: Edit): void {
    this.flush();
    const index = this.#come++;
    if (this.#options.isDry) return;
    try {
      editOne(this.#bench, edit);
    } catch (error) {
      if (!isPinfoldError(error)) throw error;
      this.#fail({ index, code: error.code, detail: error.message });
    }
  }

  /** Buffer.copy takes longer to be called than to copy what most keys and values have. */
  #gather(bytes: Buffer, from: number, slot: number, valueSize: number): void {
    const keySize = this.#keySize;
    const keys = this.#keys;
    const values = this.#values;
    const keyAt = slot * keySize;
    const valueAt = slot * valueSize;
    const middle = from + keySize;
    if (keySize + valueSize > 64) {
      bytes.copy(keys, keyAt, from, middle);
      bytes.copy(values, valueAt, middle, middle + valueSize);
      return;
    }
    for (let index = 0; index < keySize; index++) keys[keyAt + index] = bytes[from + index] ?? 0;
    for (let index = 0; index < valueSize; index++) values[valueAt + index] = bytes[middle + index] ?? 0;
  }

  #packedSingle(action: Edit['action'], entry: Buffer): void {
    const key = Buffer.from(entry.subarray(0, this.#keySize));
    if (action === 'remove') {
      this.remove(key);
      return;
    }
    const value = Buffer.from(entry.subarray(this.#keySize));
    const { reference: slot } = this.#bench.editing.rule;
    const isNamed = slot !== undefined && slot.kind !== 'socket';
    this.put(key, value, isNamed ? referenceIn(value, slot) : undefined);
  }

  #callBatch(from: number, count: number): BatchOutcome {
    const { map } = this.#bench;
    const keys = this.#keys.subarray(from * this.#keySize);
    if (this.#action === 'remove') return deleteBatch(map.fd, keys, count);
    return updateBatch(map.fd, { keys, values: this.#values.subarray(from * this.#valueSize) }, count);
  }

  #callOne(index: number): BatchOutcome {
    const { map, editing } = this.#bench;
    const key = this.#keys.subarray(index * this.#keySize, (index + 1) * this.#keySize);
    const value = this.#values.subarray(index * this.#valueSize, (index + 1) * this.#valueSize);
    const element = { key: editing.rule.isKeyless === true ? undefined : key, value };
    const errno =
      this.#action === 'remove' ? tryDelete(map.fd, key) : tryUpdate(map.fd, element, this.#options.mode);
    return { count: errno === undefined ? 1 : 0, errno };
  }

  #fail(failure: EditFailure): void {
    this.#failed++;
    if (this.#failures.length < limits.editFailuresMax) this.#failures.push(failure);
  }
}
