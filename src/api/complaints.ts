import type { TSchema } from 'typebox';
import { Errors } from 'typebox/value';
import { escapeStep, unescapeStep } from '../model/json-pointer.ts';

/** What is wrong with a value, and where in it: a JSON pointer. */
export interface Complaint {
  readonly at: string;
  readonly detail: string;
}

/**
 * What a schema has against a value, each thing once.
 *
 * Where a value may have several forms, it is judged by the one that was meant: that of its JSON type, of its
 * constant words (`op`), or with most of its required members. Nobody is told what is wrong with all others.
 */
export function complaintsAbout(schema: TSchema, value: unknown): Generator<Complaint> {
  return complaintsOf(schema, value, '');
}

function* complaintsOf(schema: unknown, value: unknown, at: string): Generator<Complaint> {
  const forms = formsOf(schema);
  if (forms !== undefined) yield* ofForms(schema, { forms, value, at });
  else if (Array.isArray(value) && isOf(schema, 'items')) yield* ofItems(schema, value, at);
  else if (isRecord(value) && isOf(schema, 'properties')) yield* ofMembers(schema, value, at);
  else yield* ofLeaf(schema, value, at);
}

function* ofItems(schema: object, value: readonly unknown[], at: string): Generator<Complaint> {
  yield* ofLeaf({ ...schema, items: {} }, value, at);
  const { items, maxItems = Number.POSITIVE_INFINITY } = Object(schema);
  if (value.length > maxItems) return;
  for (const [index, item] of value.entries()) yield* complaintsOf(items, item, `${at}/${index}`);
}

function* ofMembers(
  schema: object,
  value: Readonly<Record<string, unknown>>,
  at: string,
): Generator<Complaint> {
  const properties = Object.entries(propertiesOf(schema));
  const any = Object.fromEntries(properties.map(([name]) => [name, {}]));
  yield* ofLeaf({ ...schema, properties: any }, value, at);
  for (const [name, property] of properties) {
    if (Object.hasOwn(value, name)) yield* complaintsOf(property, value[name], `${at}/${escapeStep(name)}`);
  }
}

function* ofForms(
  schema: unknown,
  given: { readonly forms: readonly unknown[]; readonly value: unknown; readonly at: string },
): Generator<Complaint> {
  const { forms, value, at } = given;
  const fitting = forms.filter((form) => isOfType(form, value));
  const [only] = fitting;
  if (only === undefined) {
    const types = new Set(forms.map((form) => String(Object(form).type)));
    yield { at, detail: `must be ${[...types].join(' or ')}` };
  } else if (fitting.length === 1) yield* complaintsOf(only, value, at);
  else if (isRecord(value)) yield* ofObjects(fitting, value, at);
  else yield* ofLeaf(schema, value, at);
}

/** Of forms that are objects. */
function* ofObjects(
  forms: readonly unknown[],
  value: Readonly<Record<string, unknown>>,
  at: string,
): Generator<Complaint> {
  const word = Object.keys(propertiesOf(forms[0])).find((name) =>
    forms.every((form) => wordOf(form, name) !== undefined),
  );
  if (word !== undefined && !forms.some((form) => wordOf(form, word) === value[word])) {
    const words = forms.map((form) => wordOf(form, word)).join(', ');
    yield { at: `${at}/${escapeStep(word)}`, detail: `must be one of ${words}` };
    return;
  }
  const ranked = forms
    .filter((form) => word === undefined || wordOf(form, word) === value[word])
    .map((form) => ({ form, ...rankOf(form, value) }))
    .sort((one, other) => other.present - one.present || one.unknown - other.unknown);
  const [meant] = ranked;
  if (meant === undefined || meant.present === 0) {
    const wanted = forms.map((form) => requiredOf(form).join(' and ')).join(', or ');
    yield { at, detail: `must have ${wanted}` };
  } else yield* complaintsOf(meant.form, value, at);
}

/** How many required members of a form a value has, and how many members that the form does not know. */
function rankOf(form: unknown, value: Readonly<Record<string, unknown>>) {
  const properties = propertiesOf(form);
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(properties, name)).length;
  return { present: requiredOf(form).filter((name) => Object.hasOwn(value, name)).length, unknown };
}

function* ofLeaf(schema: unknown, value: unknown, at: string): Generator<Complaint> {
  const told = new Set<string>();
  const errors = Errors(Object(schema), value);
  for (const { keyword, schemaPath, instancePath, message } of errors) {
    // Of each unknown member it is said by itself; of forms, what each wants.
    if (keyword === 'additionalProperties' || (keyword === 'anyOf' && errors.length > 1)) continue;
    const words = wordsAt(schema, schemaPath);
    const said =
      formWanted(schema, schemaPath, keyword) ?? message.replace(/^schema is false$/, 'is not known here');
    const detail =
      words === undefined ? said : `must be ${words.length > 1 ? 'one of ' : ''}${words.join(', ')}`;
    if (told.has(`${instancePath} ${detail}`)) continue;
    told.add(`${instancePath} ${detail}`);
    yield { at: `${at}${instancePath}`, detail };
  }
}

/** What a text should look like, by the examples of its schema: a pattern is for programs. */
function formWanted(schema: unknown, schemaPath: string, keyword: string): string | undefined {
  if (keyword !== 'pattern' && keyword !== 'format') return undefined;
  const { forms } = choiceAt(schema, schemaPath);
  const examples = forms.flatMap((form): readonly unknown[] => Object(form).examples ?? []);
  return examples.length === 0 ? undefined : `must have the form of ${examples.map(String).join(' or ')}`;
}

/** The words that may stand where a part of a schema is, or a choice that it is one of. */
function wordsAt(schema: unknown, schemaPath: string): readonly string[] | undefined {
  const { part, forms } = choiceAt(schema, schemaPath);
  const words = forms.map((form) => Object(form).const).filter((each) => each !== undefined);
  const isOfWords = Object(part).const !== undefined || words.length === forms.length;
  return isOfWords && words.length > 0 ? words.map(String) : undefined;
}

/** A part of a schema, and the forms a value may have there: those of its choice, or it alone. */
function choiceAt(schema: unknown, schemaPath: string) {
  const steps = schemaPath.split('/').slice(1);
  const at = (way: readonly string[]): unknown =>
    way.reduce<unknown>((node, step) => Object(node)[unescapeStep(step)], schema);
  const part = at(steps);
  const choice: unknown = steps.at(-2) === 'anyOf' ? at(steps.slice(0, -1)) : Object(part).anyOf;
  const forms: readonly unknown[] = Array.isArray(choice) ? choice : [part];
  return { part, forms };
}

/** The forms a value may have; undefined where it is a choice of words, or none. */
function formsOf(schema: unknown): readonly unknown[] | undefined {
  const { anyOf } = Object(schema);
  if (!Array.isArray(anyOf)) return undefined;
  return anyOf.every((form) => typeof Object(form).type === 'string' && Object(form).const === undefined)
    ? anyOf
    : undefined;
}

function isOfType(form: unknown, value: unknown): boolean {
  const { type } = Object(form);
  if (value === null) return type === 'null';
  if (Array.isArray(value)) return type === 'array';
  if (typeof value === 'number') return type === 'number' || type === 'integer';
  return type === typeof value;
}

function wordOf(form: unknown, name: string): unknown {
  return Object(Object(propertiesOf(form))[name]).const;
}

function requiredOf(form: unknown): readonly string[] {
  const { required } = Object(form);
  return Array.isArray(required) ? required.map(String) : [];
}

function propertiesOf(schema: unknown): object {
  return Object(Object(schema).properties);
}

function isOf(schema: unknown, member: string): schema is object {
  return typeof schema === 'object' && schema !== null && isRecord(Object(schema)[member]);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
