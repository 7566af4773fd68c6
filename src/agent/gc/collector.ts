import { setTimeout as pause } from 'node:timers/promises';
import type { ClaimedPins } from '../../model/claim/claimed-pins.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { type GcLine, type GcPlan, type GcQuestion, planGc } from '../../model/gc/plan.ts';
import type { GcSettings } from '../../model/gc/policy.ts';
import { Timeline } from '../../model/gc/timeline.ts';
import { limits } from '../../model/limits.ts';
import { pathMembers } from '../../model/path.ts';
import type { Outcome } from '../../model/schema/operation.ts';
import type { OnStep } from '../../model/step.ts';
import type { Store } from '../../model/store.ts';
import { unheldMs } from '../../model/unheld.ts';
import type { ChangeContext, ChangeResult } from '../agent.ts';
import type { ChangeRequest } from '../operation/request.ts';
import type { PinState } from '../operation/sink.ts';
import { type Candidate, quarantineRequest } from '../quarantine/plan-quarantine.ts';
import { kinIn } from '../quarantine/records.ts';
import { sweep } from '../quarantine/sweep.ts';
import { type Kin, stillOf } from '../quarantine/unwanted.ts';
import { Throttle } from './throttle.ts';
import { type GcWorldParts, readGcWorld } from './world.ts';

/** What cleaning up stands on. */
export interface CollectorParts extends Omit<GcWorldParts, 'ageMs'> {
  readonly claims: ClaimedPins;
  readonly store: Store;
  readonly settings: GcSettings;
  readonly isReadOnly: boolean;
  readonly ask: (request: ChangeRequest) => Promise<ChangeResult>;
  readonly newOperationId: () => string;
  readonly onStep: OnStep;
  readonly onFailure: (error: unknown) => void;
}

/** A plan, and when what it is made from was read. */
export interface Planned {
  readonly plan: GcPlan;
  readonly at: Date;
}

/** A clean-up that is carried out. */
interface Run {
  readonly operationId: string;
  readonly mount: string;
  readonly lines: readonly GcLine[];
  readonly minAgeMs: number;
  readonly graceMs: number;
  readonly context: ChangeContext;
}

/** What came of the pins of a run so far: how many moved, and how many stay for which reason. */
interface Tally {
  moved: number;
  readonly stayed: Map<string, number>;
}

/** How long what is held rests until it is tried again: most is only looked at in passing. */
const againMs = [50, 200, 500, 1000];

/** Plans clean-ups, carries them out one at a time, and ends the time of grace of what went. */
export class Collector {
  readonly #parts: CollectorParts;
  readonly #timeline = new Timeline();
  readonly #throttles: { readonly run: Throttle; readonly sweep: Throttle };
  #running: { readonly operationId: string; readonly done: Promise<void> } | undefined;
  #sweeping: Promise<void> | undefined;
  #isStopping = false;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
    const { clock, settings } = parts;
    const make = (): Throttle => new Throttle(clock, settings.pinsASecond);
    this.#throttles = { run: make(), sweep: make() };
    this.#noteTime();
  }

  /** How long ago a moment of the wall clock was, never more than is certain. */
  readonly ageMs = (wallMs: number): number => {
    this.#noteTime();
    return this.#timeline.ageMs(wallMs);
  };

  /** What would be done. Changes nothing. @throws PinfoldError not_supported */
  async plan(question: GcQuestion): Promise<Planned> {
    const world = await readGcWorld({ ...this.#parts, ageMs: this.ageMs });
    const at = this.#parts.clock.now();
    return { plan: planGc(world, question), at };
  }

  /**
   * Begins to do it; the answer does not wait for the end, which the operation tells. Undefined for the
   * operation where nothing is to be done.
   *
   * @throws PinfoldError conflict while another clean-up is under way, read_only, not_supported
   */
  async start(
    question: GcQuestion,
    graceMs: number,
    context: ChangeContext,
  ): Promise<Planned & { readonly operationId: string | undefined }> {
    if (this.#parts.isReadOnly)
      throw new PinfoldError('read_only', {
        detail: 'This agent runs with --read-only and changes nothing.',
      });
    const planned = await this.plan(question);
    if (planned.plan.lines.length === 0) return { ...planned, operationId: undefined };
    if (this.#isStopping) throw new PinfoldError('not_ready', { detail: 'The agent is stopping.' });
    if (this.#running !== undefined) throw isBusy(this.#running.operationId);
    const operationId = this.#begin(question, planned.plan, context);
    const { mount, minAgeMs } = question;
    const run = { operationId, mount, lines: planned.plan.lines, minAgeMs, graceMs, context };
    this.#running = { operationId, done: this.#carryOut(run) };
    return { ...planned, operationId };
  }

  /** Whether a clean-up is under way. */
  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** Called when a pass is over: ends the grace of what is due, by the way. */
  afterPass(): void {
    this.#noteTime();
    if (this.#sweeping !== undefined || this.#isStopping || this.#parts.isReadOnly) return;
    const { store, clock, kernel } = this.#parts;
    if (store.quarantine.listDue(kernel.facts.bootId, clock.bootMs(), 1).length === 0) return;
    this.#sweeping = this.#sweepAll()
      .catch(this.#parts.onFailure)
      .finally(() => {
        this.#sweeping = undefined;
      });
  }

  /** Ends what is under way after the pins it is at. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#throttles.run.stop();
    this.#throttles.sweep.stop();
    await this.#running?.done;
    await this.#sweeping;
  }

  #noteTime(): void {
    const { clock } = this.#parts;
    this.#timeline.note({ wallMs: clock.now().getTime(), boottimeMs: clock.bootMs() });
  }

  #begin(question: GcQuestion, { lines }: GcPlan, context: ChangeContext): string {
    const { store, kernel, clock, newOperationId } = this.#parts;
    const operationId = newOperationId();
    const { mount, prefix, rules, minAgeMs } = question;
    const below = prefix === undefined ? {} : { prefix: pathMembers(prefix).path };
    store.journal.begin({
      operationId,
      kind: 'gc',
      bootId: kernel.facts.bootId,
      instance: '',
      startedAt: clock.now().toISOString(),
      actor: context.caller.actor,
      requestId: context.requestId,
      subject: { mount, ...below, rules, min_age_seconds: minAgeMs / 1000, pins: lines.length },
      accepted: [],
      plan: { gc: { pins: lines.length } },
    });
    this.#parts.onStep('gc.planned');
    return operationId;
  }

  async #carryOut(run: Run): Promise<void> {
    const tally: Tally = { moved: 0, stayed: new Map() };
    let failure: unknown;
    try {
      let held = await this.#moveAll(run, run.lines, tally);
      for (const restMs of againMs) {
        if (held.length === 0 || this.#isStopping) break;
        await pause(restMs);
        held = await this.#moveAll(run, held, tally);
      }
      if (held.length > 0) tally.stayed.set('held', held.length);
    } catch (error) {
      failure = error;
    }
    this.#running = undefined;
    this.#settle(run, tally, failure);
    this.afterPass();
  }

  /** Answers the lines whose objects somebody holds. */
  async #moveAll(run: Run, lines: readonly GcLine[], tally: Tally): Promise<readonly GcLine[]> {
    const held: GcLine[] = [];
    for (const chunk of chunksOf(lines)) {
      if (!(await this.#throttles.run.take(chunk.length))) break;
      const ends = await Promise.all(
        chunk.map(async (line) => [line, await this.#moveOne(run, line)] as const),
      );
      for (const [line, end] of ends) {
        if (end === 'moved') tally.moved += 1;
        else if (end === 'held') held.push(line);
        else tally.stayed.set(end, (tally.stayed.get(end) ?? 0) + 1);
      }
      this.#parts.onStep('gc.chunk_done');
    }
    return held;
  }

  /** `moved`, or why it stays. */
  async #moveOne(run: Run, line: GcLine): Promise<string> {
    const candidate = this.#candidateOf(run, line);
    if (candidate === undefined) return 'gone';
    if (!this.#hasRested(line, run)) return 'too_young';
    const { mount, context } = run;
    try {
      await this.#parts.ask(
        quarantineRequest(candidate, { mount, context: { ...context, ifMatch: undefined } }),
      );
      return 'moved';
    } catch (error) {
      if (!isPinfoldError(error)) throw error;
      return stillOf(error) ?? error.code;
    }
  }

  #candidateOf({ operationId, minAgeMs, graceMs }: Run, line: GcLine): Candidate | undefined {
    const { clock, store, kernel } = this.#parts;
    const pin = this.#findPin(line.pin);
    if (pin?.object.id !== line.object.id || pin.object.kind !== line.object.kind) return undefined;
    const { bootId } = kernel.facts;
    const inPlace = line.others.flatMap((other): readonly Kin[] => {
      const found = this.#findPin(other);
      return found === undefined ? [] : [{ pin: found, slot: undefined }];
    });
    const moved = kinIn(store, pin, { bootId });
    return {
      pin,
      note: {
        rule: line.rule,
        why: line.why,
        run: operationId,
        minAgeMs,
        quarantinedAt: clock.now().toISOString(),
        dueBoottimeMs: Math.ceil(clock.bootMs() + graceMs),
      },
      terms: { minAgeMs, ageMs: this.ageMs, kin: [...inPlace, ...moved] },
    };
  }

  /** Whoever held it since the plan was made may need it again. */
  #hasRested({ object: { kind, id } }: GcLine, { minAgeMs }: Run): boolean {
    const { inventory, clock } = this.#parts;
    return (unheldMs(inventory.objects.unheldOf(kind, id), clock.bootMs()) ?? 0) >= minAgeMs;
  }

  #findPin({ mount, path }: GcLine['pin']): PinState | undefined {
    return this.#parts.inventory.findMount(mount)?.findPin(path);
  }

  #settle({ operationId, lines }: Run, { moved, stayed }: Tally, failure: unknown): void {
    const { store, clock, onStep, onFailure } = this.#parts;
    const left = lines.length - moved - [...stayed.values()].reduce((sum, count) => sum + count, 0);
    const reasons = [...stayed].map(([reason, count]) => `${count} ${reason}`).join(', ');
    const detail = [
      `${moved} of ${lines.length} pins went into quarantine.`,
      ...(reasons === '' ? [] : [`Others stay: ${reasons}.`]),
      ...(left === 0 ? [] : [`It was stopped before ${left} others.`]),
    ].join(' ');
    const outcome: Exclude<Outcome, 'running'> =
      left > 0 ? 'unknown' : moved === 0 ? 'not_applied' : 'applied';
    try {
      store.journal.settle(operationId, outcome, clock.now().toISOString(), detail);
      onStep('gc.settled');
      if (failure !== undefined) onFailure(failure);
    } catch (error) {
      onFailure(error);
    }
  }

  async #sweepAll(): Promise<void> {
    const { store, clock, kernel, ask } = this.#parts;
    const { bootId } = kernel.facts;
    const parts = { store, clock, bootId, ask, ageMs: this.ageMs };
    for (;;) {
      const count = await sweep(parts);
      if (count === 0 || !(await this.#throttles.sweep.take(count))) return;
    }
  }
}

/** Pins of one object count on each other, and are moved one after the other. */
function* chunksOf(lines: readonly GcLine[]): Generator<readonly GcLine[]> {
  const alone = lines.filter(({ others }) => others.length > 0);
  const single = lines.filter(({ others }) => others.length === 0);
  for (let from = 0; from < single.length; from += limits.gcChunkPins)
    yield single.slice(from, from + limits.gcChunkPins);
  for (const line of alone) yield [line];
}

function isBusy(operationId: string): PinfoldError {
  const detail = `The clean-up ${operationId} is under way; ask again when it is over.`;
  return new PinfoldError('conflict', { detail, operation_id: operationId });
}
