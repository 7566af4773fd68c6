import { Value } from 'typebox/value';
import { PinfoldError } from '../error.ts';
import { DigestDocument, MemberDocument } from '../schema/cluster.ts';
import { FleetTokenDocument } from '../schema/fleet-token.ts';

/**
 * Reads what a node wrote of itself. Undefined for what is no such document: one node's nonsense must not
 * keep a manager from serving the others.
 */
export function parseMember(text: string): MemberDocument | undefined {
  const json = parseJson(text);
  return Value.Check(MemberDocument, json) ? json : undefined;
}

/** The same of its digest. */
export function parseDigest(text: string): DigestDocument | undefined {
  const json = parseJson(text);
  return Value.Check(DigestDocument, json) ? json : undefined;
}

/** A token of the fleet; undefined for what is none, which then opens nothing. */
export function parseFleetToken(text: string): FleetTokenDocument | undefined {
  const json = parseJson(text);
  return Value.Check(FleetTokenDocument, json) ? json : undefined;
}

/**
 * An origin that a manager may call: `http://10.0.0.5:7463` or `https://…`, nothing after the port. What a
 * node writes there is never a path, a user or a socket of the manager's own machine.
 *
 * @throws PinfoldError invalid_input
 */
export function parseNodeAddress(text: string): string {
  if (/^https?:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253}):\d{1,5}$/.test(text) && URL.canParse(text)) {
    return text;
  }
  throw new PinfoldError('invalid_input', {
    detail: 'The address of a node is http://HOST:PORT or https://HOST:PORT.',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
