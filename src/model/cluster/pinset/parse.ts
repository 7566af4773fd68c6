import { Compile } from 'typebox/compile';
import { isPinfoldError, PinfoldError } from '../../error.ts';
import { pinnableKinds } from '../../kind.ts';
import { limits } from '../../limits.ts';
import { type Complaint, complaintsOf } from '../../map-rule/complaints.ts';
import { isWithin, type PinPath, parsePath } from '../../path.ts';
import { type DesiredPin, PinSet } from '../../schema/pinset.ts';
import type { ClusterName } from '../key.ts';

/** A pin set that was checked, with its name in it. */
export type NamedPinSet = PinSet & { readonly name: ClusterName };

/** How many complaints one answer lists. */
const complaintsMax = 64;

const shape = Compile(PinSet);

/**
 * Reads what somebody wants pinned, and says all that is wrong with it at once: shape first, then what the
 * shape cannot say. What only a kernel knows is found by the nodes, each for itself.
 *
 * @throws PinfoldError invalid_input with `errors`, each a pointer into the body and what is wrong there
 */
export function parsePinSet(json: unknown, name: ClusterName): NamedPinSet {
  if (!shape.Check(json)) throw invalid(shapeComplaints(json));
  const complaints = [...pinSetComplaints(json, name)];
  if (complaints.length > 0) throw invalid(complaints);
  return { ...json, name };
}

function shapeComplaints(json: unknown): readonly Complaint[] {
  return shape.Errors(json).map(({ instancePath, message }) => ({
    pointer: instancePath,
    detail: message === 'schema is false' ? 'is not known here' : message,
  }));
}

function* pinSetComplaints(set: PinSet, name: ClusterName): Generator<Complaint> {
  const bytes = Buffer.byteLength(JSON.stringify({ ...set, name }));
  if (bytes > limits.pinSetBytesMax) {
    yield { pointer: '', detail: `has ${bytes} bytes; ${limits.pinSetBytesMax} are the most` };
  }
  if (set.name !== undefined && set.name !== name) {
    yield { pointer: '/name', detail: `is another name than that of the request, ${name}` };
  }
  if (set.all === true && Object.keys(set.selector ?? {}).length > 0) {
    yield { pointer: '/all', detail: 'is every node, and the selector says which: leave one of them out' };
  }
  for (const [index, pin] of (set.pins ?? []).entries()) {
    for (const { pointer, detail } of pinComplaints(pin))
      yield { pointer: `/pins/${index}${pointer}`, detail };
  }
  yield* pathComplaints(set);
}

function* pinComplaints(pin: DesiredPin): Generator<Complaint> {
  const { map, expect, entries } = pin;
  if ((map === undefined) === (expect === undefined)) {
    yield { pointer: '', detail: 'has either map, which is made, or expect, which must be there' };
  }
  if (entries !== undefined && map === undefined) {
    yield { pointer: '/entries', detail: 'go into a map that is made: they want map' };
  }
  if (expect?.kind !== undefined && !pinnableKinds.some((kind) => kind === expect.kind)) {
    yield { pointer: '/expect/kind', detail: `is one of ${pinnableKinds.join(', ')}` };
  }
  if (map === undefined) return;
  for (const { pointer, detail } of complaintsOf(map)) yield { pointer: `/map${pointer}`, detail };
  if (map.inner !== undefined && 'id' in map.inner) {
    yield { pointer: '/map/inner/id', detail: 'is of one node only: give what it is like, or its pin' };
  }
  if (map.btf?.map !== undefined) {
    yield { pointer: '/map/btf/map', detail: 'is of one node only: give the BTF itself, or a pin' };
  }
}

/** Each path once, none below another pin: a name is a pin or a directory. */
function* pathComplaints({ pins = [], absent = [] }: PinSet): Generator<Complaint> {
  const seen = new Map<PinPath, string>();
  const places = [
    ...pins.map(({ path }, index) => ({ path, pointer: `/pins/${index}/path`, isPin: true })),
    ...absent.map((path, index) => ({ path, pointer: `/absent/${index}`, isPin: false })),
  ];
  const pinned: { readonly path: PinPath; readonly pointer: string }[] = [];
  for (const { path: text, pointer, isPin } of places) {
    const path = tryPath(text);
    if (typeof path !== 'string') {
      yield { pointer, detail: path.why };
      continue;
    }
    const before = seen.get(path);
    if (before !== undefined) yield { pointer, detail: `is at ${before} already` };
    else if (isPin) pinned.push({ path, pointer });
    seen.set(path, before ?? pointer);
  }
  yield* nestedComplaints(pinned);
}

function* nestedComplaints(
  pins: readonly { readonly path: PinPath; readonly pointer: string }[],
): Generator<Complaint> {
  const byPath = new Map(pins.map(({ path, pointer }) => [path, pointer] as const));
  for (const { path, pointer } of pins) {
    const above = [...byPath].find(([other]) => other !== path && isWithin(path, other));
    if (above !== undefined)
      yield { pointer, detail: `is below ${above[1]}, which is a pin, not a directory` };
  }
}

function tryPath(text: string): PinPath | { readonly why: string } {
  try {
    return parsePath(text);
  } catch (error) {
    if (!isPinfoldError(error, 'bad_path')) throw error;
    return { why: error.message };
  }
}

function invalid(complaints: readonly Complaint[]): PinfoldError {
  const errors = complaints.slice(0, complaintsMax).map(({ pointer, detail }) => ({
    pointer: `/body${pointer}`,
    detail,
  }));
  const [first] = errors;
  const more = complaints.length > 1 ? ` (and ${complaints.length - 1} more)` : '';
  const detail = `The pin set is not valid: ${first?.pointer ?? ''} ${first?.detail ?? ''}${more}.`;
  return new PinfoldError('invalid_input', { detail, errors });
}
