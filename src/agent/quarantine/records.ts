import { Compile } from 'typebox/compile';
import { parsePathBytes, pathMembers } from '../../model/path.ts';
import { gcRules, type QuarantineDocument } from '../../model/schema/gc.ts';
import type { QuarantineRecord, Store } from '../../model/store.ts';
import { restorePin, type SavedNote, SavedPin, savePin } from '../journal/plan.ts';
import type { PinState, Quarantined } from '../operation/sink.ts';
import type { Kin } from './unwanted.ts';

const savedPin = Compile(SavedPin);

/** What is stored of a pin that went into quarantine. */
export function recordOf(pin: PinState, { slot, note }: Quarantined, bootId: string): QuarantineRecord {
  const { mount, instance, path, object } = pin;
  const { kind, id: objectId } = object;
  return { ...note, slot, bootId, instance, mount, path, kind, objectId, pin: savePin(pin, path) };
}

/** Why it is there, as operations carry it. */
export function noteOf(record: QuarantineRecord): SavedNote {
  const { id, rule, why, run, minAgeMs, quarantinedAt, dueBoottimeMs } = record;
  return { id, rule, why, run, minAgeMs, quarantinedAt, dueBoottimeMs };
}

/** The pin as it was; undefined where another version of Pinfold wrote it. */
export function pinOf({ pin, mount, instance }: QuarantineRecord): PinState | undefined {
  return savedPin.Check(pin) ? restorePin(pin, { mount, instance }) : undefined;
}

/** What the API shows of it; `now` is this moment on both clocks, milliseconds. */
export function quarantineDocument(
  record: QuarantineRecord,
  now: { readonly wallMs: number; readonly boottimeMs: number },
): QuarantineDocument {
  const { id, mount, path, kind, objectId, rule, why, run, quarantinedAt, dueBoottimeMs } = record;
  const pin = pinOf(record);
  const due = dueBoottimeMs === null ? null : new Date(now.wallMs + dueBoottimeMs - now.boottimeMs);
  return {
    id,
    mount,
    ...pathMembers(parsePathBytes(Buffer.from(path, 'latin1'))),
    kind,
    object_id: objectId,
    type: pin?.object.type ?? '',
    name: pin?.object.name ?? '',
    labels: { ...pin?.annotations.labels },
    owner: pin?.annotations.owner ?? null,
    rule: gcRules.find((known) => known === rule) ?? null,
    why,
    run,
    quarantined_at: quarantinedAt,
    expires_at: due === null ? null : due.toISOString(),
  };
}

/** Other pins of the same object that are in quarantine already: none of them is a reason to keep it. */
export function kinIn(
  store: Store,
  pin: PinState,
  of: { readonly bootId: string; readonly except?: string },
) {
  return store.quarantine
    .ofObject(pin.object.kind, pin.object.id)
    .filter(({ id, bootId, mount }) => id !== of.except && bootId === of.bootId && mount === pin.mount)
    .flatMap((other): readonly Kin[] => {
      const kin = pinOf(other);
      const isSame = kin !== undefined && kin.object.fingerprint === pin.object.fingerprint;
      return isSame ? [{ pin: kin, slot: other.slot }] : [];
    });
}
