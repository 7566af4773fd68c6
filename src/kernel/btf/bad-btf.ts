import { PinfoldError } from '../../model/error.ts';

/** Where in the BTF the trouble is. */
interface Where {
  /** Bytes from the start of the blob. */
  readonly offset?: number;
  readonly type_id?: number;
}

/** The refusal of BTF that is damaged, hostile or newer than this build; says what is wrong and where. */
export function badBtf(what: string, where: Where = {}): PinfoldError {
  const place = where.type_id === undefined ? '' : ` in type ${where.type_id}`;
  const offset = where.offset === undefined ? '' : ` at byte ${where.offset}`;
  return new PinfoldError('invalid_input', {
    detail: `BTF: ${what}${place}${offset}`,
    kind: 'btf',
    ...where,
  });
}
