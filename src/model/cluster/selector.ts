import { PinfoldError } from '../error.ts';
import { limits } from '../limits.ts';

/** One demand on labels: a value, another value than this, that there is one, or that there is none. */
export interface LabelDemand {
  readonly key: string;
  readonly operator: '=' | '!=' | 'exists' | 'absent';
  /** Empty where there is only a key. */
  readonly value: string;
}

/** Demands that must all be met; none at all is met by every node. */
export type Selector = readonly LabelDemand[];

const wordPattern = /^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$/;

/**
 * Reads `role=edge,zone!=b,ssd,!gpu`: commas mean and; `==` is `=`; a bare key must be there, one after `!`
 * must not. A node without the label meets `zone!=b`, as in Kubernetes.
 *
 * @throws PinfoldError invalid_input, with the place and what is wrong there
 */
export function parseSelector(text: string): Selector {
  if (text.length > limits.selectorCharsMax) {
    throw badSelector(`it has more than ${limits.selectorCharsMax} characters`);
  }
  if (text.trim() === '') return [];
  const parts = text.split(',');
  if (parts.length > limits.labelsMax) throw badSelector(`it has more than ${limits.labelsMax} demands`);
  return parts.map((part, index) => parseDemand(part.trim(), index + 1));
}

function parseDemand(text: string, place: number): LabelDemand {
  const [, negation = '', rawKey = '', operator, value = ''] =
    /^(!?)([^=!]*?)\s*(?:(!=|==?)\s*([^=!]*))?$/.exec(text) ?? [];
  const key = rawKey.trim();
  if (!wordPattern.test(key) || key.length > limits.labelKeyCharsMax) {
    throw badSelector(`part ${place} does not begin with the key of a label`);
  }
  if (operator === undefined) return { key, operator: negation === '' ? 'exists' : 'absent', value: '' };
  if (negation !== '') throw badSelector(`part ${place} says ! twice; write KEY!=VALUE`);
  const isValue = (value === '' || wordPattern.test(value)) && value.length <= limits.labelValueCharsMax;
  if (!isValue) throw badSelector(`part ${place} has a value with other characters than those of labels`);
  return { key, operator: operator === '!=' ? '!=' : '=', value };
}

/** The demands of a mapping, as pin sets have it: each label must have exactly this value. */
export function selectorOf(labels: Readonly<Record<string, string>>): Selector {
  return Object.entries(labels).map(([key, value]) => ({ key, operator: '=', value }));
}

/** Tells whether labels meet every demand. */
export function isSelected(labels: Readonly<Record<string, string>>, selector: Selector): boolean {
  return selector.every((demand) => meets(labels, demand));
}

function meets(labels: Readonly<Record<string, string>>, { key, operator, value }: LabelDemand): boolean {
  const has = Object.hasOwn(labels, key);
  switch (operator) {
    case '=':
      return has && labels[key] === value;
    case '!=':
      return !has || labels[key] !== value;
    case 'exists':
      return has;
    case 'absent':
      return !has;
  }
}

function badSelector(why: string): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail: `The selector cannot be read: ${why}. It is written like role=edge,zone!=b,ssd,!gpu.`,
    errors: [{ pointer: '/query/selector', detail: why }],
  });
}
