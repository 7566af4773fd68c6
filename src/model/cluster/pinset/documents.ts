import { Compile } from 'typebox/compile';
import {
  DesiredDocument,
  NodePinSet,
  PinSetDiff,
  PinSetStatus,
  RolloutDocument,
} from '../../schema/pinset.ts';

const desired = Compile(DesiredDocument);
const rollout = Compile(RolloutDocument);
const status = Compile(PinSetStatus);
const diff = Compile(PinSetDiff);
const nodePinSet = Compile(NodePinSet);

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

/** Tells whether this is what a node answers that is asked what it would do. */
export function isPinSetDiff(json: unknown): json is PinSetDiff {
  return diff.Check(json);
}

/** Tells whether this is a pin set as a node tells it. */
export function isNodePinSet(json: unknown): json is NodePinSet {
  return nodePinSet.Check(json);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
