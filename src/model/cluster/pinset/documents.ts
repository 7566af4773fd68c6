import { Compile } from 'typebox/compile';
import { DesiredDocument, PinSetStatus, RolloutDocument } from '../../schema/pinset.ts';

const desired = Compile(DesiredDocument);
const rollout = Compile(RolloutDocument);
const status = Compile(PinSetStatus);

/** Reads `desired/{pinset}`; undefined for what is no such document, which is no wish. */
export function parseDesired(text: string): DesiredDocument | undefined {
  const json = parseJson(text);
  return desired.Check(json) ? json : undefined;
}

/** Reads `rollout/{pinset}`; undefined for what is no such document, which opens no gate. */
export function parseRollout(text: string): RolloutDocument | undefined {
  const json = parseJson(text);
  return rollout.Check(json) ? json : undefined;
}

/** Reads `nodes/{node}/status/{pinset}`; undefined for what is no such document. */
export function parseStatus(text: string): PinSetStatus | undefined {
  const json = parseJson(text);
  return status.Check(json) ? json : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
