import type { HeldObject } from '../../kernel/kernel.ts';
import { PinfoldError } from '../../model/error.ts';
import type { ObjectDocument } from '../../model/schema/object.ts';
import type { ProgramMachineCode, ProgramStatistics } from '../../model/schema/program-code.ts';
import type { ProgramInfo } from '../../model/schema/program-info.ts';
import type { Observed, ProgramListing, ProgramReads } from '../agent.ts';
import { ImageBudget } from './image-budget.ts';
import { type LiveParts, readObject } from './live.ts';
import { measuringTime } from './measuring-time.ts';
import { jsonChunks, textChunks } from './program-chunks.ts';
import { assertUsesIds } from './uses-ids.ts';

/** What reading programs needs. */
export interface ProgramReadsParts extends LiveParts {
  readonly isPinsOnly: boolean;
}

/**
 * What programs consist of and how they run, always read from the kernel.
 *
 * @throws PinfoldError not_supported (by every method) with `--pins-only`
 */
export class AgentProgramReads implements ProgramReads {
  readonly #parts: ProgramReadsParts;
  readonly #budget = new ImageBudget();

  constructor(parts: ProgramReadsParts) {
    this.#parts = parts;
  }

  async instructions(id: number): Promise<ProgramListing> {
    const { programs } = this.#parts.kernel;
    // The program is let go of before the names of what it calls are waited for.
    const { code, taken } = this.#reading(id, (held) => programs.readCode(held));
    try {
      const listing = await programs.list(code);
      return {
        code: listing.code,
        text: (options) => textChunks(listing, options),
        json: () => jsonChunks(listing),
        [Symbol.dispose]: () => taken[Symbol.dispose](),
      };
    } catch (error) {
      taken[Symbol.dispose]();
      throw error;
    }
  }

  machineCode(id: number): { readonly code: Buffer; readonly document: ProgramMachineCode } {
    const { code, taken } = this.#reading(id, (held) => this.#parts.kernel.programs.readMachineCode(held));
    taken[Symbol.dispose]();
    return code;
  }

  async measured(id: number, durationMs: number, signal: AbortSignal): Promise<Observed<ObjectDocument>> {
    const { kernel, clock, isPinsOnly } = this.#parts;
    assertUsesIds(isPinsOnly);
    using _measuring = kernel.programs.holdStatistics();
    const before = readObject(this.#parts, 'program', id);
    const startedAt = clock.monotonicMs();
    await measuringTime(durationMs, signal);
    const after = readObject(this.#parts, 'program', id);
    if (before.value.fingerprint !== after.value.fingerprint) {
      const detail = `Program ${id} went away while it was measured, and another has its id.`;
      throw new PinfoldError('object_not_found', { detail, kind: 'program', id });
    }
    const spentMs = Math.round(clock.monotonicMs() - startedAt);
    const statistics = difference(programOf(before.value), programOf(after.value), spentMs);
    return { ...after, value: { ...programOf(after.value), statistics } };
  }

  /** Opens a program for as long as `read` takes, with its bytes taken from the budget. */
  #reading<Code>(id: number, read: (held: HeldObject) => Code): { code: Code; taken: Disposable } {
    assertUsesIds(this.#parts.isPinsOnly);
    using held = this.#parts.kernel.objects.holdById('program', id);
    const { info } = held;
    const bytes = info.kind === 'program' ? (info.xlated_prog_len ?? 0) + (info.jited_prog_len ?? 0) : 0;
    const taken = this.#budget.take(bytes);
    try {
      return { code: read(held), taken };
    } catch (error) {
      taken[Symbol.dispose]();
      throw error;
    }
  }
}

type ProgramDocument = ObjectDocument & ProgramInfo;

function programOf(document: ObjectDocument): ProgramDocument {
  if (document.kind === 'program') return document;
  throw new TypeError(`${document.kind} ${document.id} is not a program`);
}

/** The kernel adds up since it loaded the program; what counts is what came to it meanwhile. */
function difference(before: ProgramInfo, after: ProgramInfo, durationMs: number): ProgramStatistics {
  const since = (member: 'run_cnt' | 'run_time_ns' | 'recursion_misses'): number =>
    (after[member] ?? 0) - (before[member] ?? 0);
  return {
    duration_ms: durationMs,
    run_cnt: since('run_cnt'),
    run_time_ns: since('run_time_ns'),
    ...(after.recursion_misses === undefined ? {} : { recursion_misses: since('recursion_misses') }),
  };
}
