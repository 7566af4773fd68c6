import { limits } from '../../model/limits.ts';
import type { MapSpecification } from '../../model/schema/map-specification.ts';
import type { ProgramSpecification } from '../../model/schema/specification.ts';
import type { SpecificationRecord } from '../../model/store.ts';

/** Members that hold bytes, and the part each is stored as; in the stored document they are empty texts. */
const places = [
  { member: 'btf', text: 'blob_base64', part: 'btf' },
  { member: 'instructions', text: 'xlated_base64', part: 'xlated' },
  { member: 'instructions', text: 'loaded_base64', part: 'loaded' },
  { member: 'func_info', text: 'base64', part: 'func_info' },
  { member: 'line_info', text: 'base64', part: 'line_info' },
] as const;

/** What a specification is stored as. */
export type Stored = Pick<SpecificationRecord, 'document' | 'parts'>;

/**
 * Takes the bytes out of a document. `btf` are those of its types, where the document was made without: many
 * objects share them, and need not be spelled out for each.
 */
export function toStored(
  specification: MapSpecification | ProgramSpecification,
  btf: Uint8Array | undefined,
): Stored {
  const document = structuredClone(specification);
  const parts: Record<string, Uint8Array> = {};
  for (const { holder, text, part } of readHolders(document)) {
    const bytes = part === 'btf' && btf !== undefined ? btf : Buffer.from(holder[text] ?? '', 'base64');
    holder[text] = '';
    if (bytes.length <= limits.specificationPartBytesMax) parts[part] = bytes;
  }
  return { document, parts };
}

/** A map's specification as it was stored, whole again; what was not stored is named. */
export function parseStoredMap(stored: Stored): MapSpecification {
  return parseStored(stored) as MapSpecification;
}

/** The same of a program's. */
export function parseStoredProgram(stored: Stored): ProgramSpecification {
  return parseStored(stored) as ProgramSpecification;
}

function parseStored({ document, parts }: Stored): unknown {
  const copy = structuredClone(document) as Document;
  for (const { holder, text, member, part } of readHolders(copy)) {
    const bytes = parts[part];
    if (bytes !== undefined) {
      holder[text] = Buffer.from(bytes).toString('base64');
      continue;
    }
    delete copy[member];
    copy.about?.not_recoverable.push({ member, reason: 'its bytes were too many to be stored' });
  }
  return copy;
}

type Document = Record<string, unknown> & {
  readonly about?: { readonly not_recoverable: { readonly member: string; readonly reason: string }[] };
};

interface Holder {
  readonly holder: Record<string, string>;
  readonly member: string;
  readonly text: string;
  readonly part: string;
}

/** The members of a document that hold bytes. */
function readHolders(document: object): readonly Holder[] {
  const members = document as Readonly<Record<string, Record<string, string> | undefined>>;
  return places.flatMap(({ member, text, part }) => {
    const holder = members[member];
    return holder === undefined || holder[text] === undefined ? [] : [{ holder, member, text, part }];
  });
}
