import { PinfoldError } from '../../model/error.ts';
import type { Json } from '../../model/json.ts';
import {
  isCpuInput,
  isDeviceInput,
  isMapReference,
  isProgramReference,
  isSocketInput,
  type ProgramReference,
} from '../../model/schema/entry-reference.ts';
import type { Expectation } from '../../model/schema/request.ts';
import type { ValueMeaning } from '../entries/map-types.ts';

/** What a value names, and where in it the kernel wants a descriptor of that. */
export type GivenReference = { readonly at: number } & (
  | { readonly kind: 'map' | 'program'; readonly id: number; readonly expect?: Expectation }
  | { readonly kind: 'socket'; readonly pid: number; readonly fd: number; readonly startTime?: number }
);

/** A value, and what it names. */
export interface ReferringValue {
  readonly value: Buffer;
  readonly reference?: GivenReference;
}

/** `{"kind":"program","id":7}` and its like, as reads write what the kernel means. @throws PinfoldError */
export function parseMeaning(
  meaning: Exclude<ValueMeaning, 'cookie'>,
  wireSize: number,
  json: Json,
): ReferringValue {
  const bytes = Buffer.alloc(wireSize);
  switch (meaning) {
    case 'map': {
      if (!isMapReference(json)) throw unlike('{"kind":"map","id":5}');
      return named(bytes, 0, { id: json.id, expect: json.expect, kind: 'map' });
    }
    case 'program': {
      if (!isProgramReference(json)) throw unlike('{"kind":"program","id":7}');
      return named(bytes, 0, json);
    }
    case 'device': {
      if (!isDeviceInput(json)) throw unlike('{"ifindex":2}, which may have a "program"');
      bytes.writeUInt32LE(json.ifindex);
      return withProgram(bytes, json.program);
    }
    case 'cpu': {
      if (!isCpuInput(json)) throw unlike('{"qsize":192}, which may have a "program"');
      bytes.writeUInt32LE(json.qsize);
      return withProgram(bytes, json.program);
    }
  }
}

/** `{"pid":12,"fd":3}`: the kernel tells sockets by cookies, and takes them only as descriptors. */
export function parseSocket(json: Json): GivenReference {
  if (!isSocketInput(json)) throw unlike('{"pid":12,"fd":3}, a socket that a process has open');
  const { pid, fd, start_time: startTime } = json;
  return { kind: 'socket', at: 0, pid, fd, ...(startTime === undefined ? {} : { startTime }) };
}

/** What the bytes of a value name, as reads give them; undefined where they name nothing. */
export function referenceIn(
  value: Buffer,
  slot: { readonly kind: 'map' | 'program'; readonly at: number },
): GivenReference | undefined {
  const { kind, at } = slot;
  const id = value.length < at + 4 ? 0 : value.readUInt32LE(at);
  return id === 0 ? undefined : { kind, at, id };
}

function withProgram(bytes: Buffer, program: ProgramReference | undefined): ReferringValue {
  if (program === undefined) return { value: bytes };
  if (bytes.length >= 8) return named(bytes, 4, program);
  throw new PinfoldError('invalid_input', { detail: 'Values of 4 bytes have no room for a program.' });
}

function named(
  value: Buffer,
  at: number,
  { kind, id, expect }: { kind: 'map' | 'program'; id: number; expect?: Expectation | undefined },
): ReferringValue {
  value.writeUInt32LE(id, at);
  return { value, reference: { kind, at, id, ...(expect === undefined ? {} : { expect }) } };
}

function unlike(example: string): PinfoldError {
  return new PinfoldError('invalid_input', { detail: `Here is wanted ${example}.` });
}
