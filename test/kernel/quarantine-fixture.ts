import assert from 'node:assert/strict';
import { carryOut } from '../../src/agent/operation/carry-out.ts';
import type { OperationEnvironment } from '../../src/agent/operation/environment.ts';
import { holdPin } from '../../src/agent/operation/pin-state.ts';
import type { ChangeRequest } from '../../src/agent/operation/request.ts';
import type { PinState } from '../../src/agent/operation/sink.ts';
import { Site } from '../../src/agent/operation/site.ts';
import { quarantineRequest } from '../../src/agent/quarantine/plan-quarantine.ts';
import { kinIn } from '../../src/agent/quarantine/records.ts';
import { sweep } from '../../src/agent/quarantine/sweep.ts';
import { parsePath } from '../../src/model/path.ts';
import type { QuarantineRecord } from '../../src/model/store.ts';
import { asking } from './changes-fixture.ts';

/** Every pin is old enough. */
export function anyAge(): number {
  return Number.MAX_SAFE_INTEGER;
}

/** Carries a request out at once. */
export function now(environment: OperationEnvironment, request: ChangeRequest): void {
  const [done] = carryOut(environment, [request]);
  if (done === undefined || 'error' in done) throw done?.error;
}

/** A pin as a plan sees it. */
export function seen(environment: OperationEnvironment, name: string): PinState {
  using site = Site.open(environment, undefined, true);
  const pin = holdPin(site, parsePath(name));
  assert.ok(pin !== undefined, `${name} is there`);
  pin.held[Symbol.dispose]();
  return pin.state;
}

/** What a pin must be to go, if not what every pin is. */
export interface Terms {
  readonly minAgeMs?: number;
  readonly ageMs?: () => number;
  /** Pins of the same object that go, too. */
  readonly others?: readonly PinState[];
}

/** Asks to move a pin into quarantine, to go for good as soon as somebody looks. */
export function quarantining(
  environment: OperationEnvironment,
  pin: PinState,
  terms: Terms = {},
): ChangeRequest {
  const { minAgeMs = 0, ageMs = anyAge, others = [] } = terms;
  const { store, kernel } = environment;
  const inPlace = others.map((other) => ({ pin: other, slot: undefined }));
  const kin = [...inPlace, ...kinIn(store, pin, { bootId: kernel.facts.bootId })];
  const why = { rule: 'orphan_pin', why: 'A test wants it.', run: null };
  const note = { ...why, quarantinedAt: '2026-11-23T00:00:00.000Z', minAgeMs, dueBoottimeMs: 0 };
  const asked = { mount: undefined, context: asking() };
  return quarantineRequest({ pin, note, terms: { minAgeMs, ageMs, kin } }, asked);
}

/** The same, done; answers what is recorded of it. */
export function quarantine(
  environment: OperationEnvironment,
  pin: PinState,
  terms: Terms = {},
): QuarantineRecord {
  now(environment, quarantining(environment, pin, terms));
  const record = environment.store.quarantine.findAt(pin.mount, pin.path);
  assert.ok(record !== undefined, 'it is recorded');
  return record;
}

/** Ends the grace of all that is due, as an agent does. */
export async function endGrace(environment: OperationEnvironment): Promise<void> {
  const { store, clock, kernel } = environment;
  const ask = async (request: ChangeRequest) => {
    const [done] = carryOut(environment, [request]);
    if (done === undefined || 'error' in done) throw done?.error;
    return done.result;
  };
  const { bootId } = kernel.facts;
  while ((await sweep({ store, clock, bootId, ask, ageMs: anyAge })) > 0);
}
