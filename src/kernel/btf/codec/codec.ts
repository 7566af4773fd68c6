import type { Json } from '../../../model/json.ts';
import type { Emit } from '../../json-code/json-code.ts';
import type { JsonText } from './json-text.ts';

/**
 * How values of one type are read and written: made once for a type, then used for every value.
 *
 * The operations are closures that know their offsets and widths; nothing of the BTF is looked at again.
 */
export interface Codec {
  /** Bytes a value takes. */
  readonly size: number;
  /** Values a decoder visits in one of this type, itself and each byte of a text among them. */
  readonly work: number;
  /** Set where the kernel keeps the bytes to itself: encoding it changes nothing, so it may be left out. */
  readonly isKernelOwned?: boolean;
  readonly decode: (bytes: Buffer, at: number) => Json;
  /** Writes what `decode` would give, as text. */
  readonly write: (bytes: Buffer, at: number, text: JsonText) => void;
  /** Makes code that writes the same; left out where only `write` can. */
  readonly emit?: Emit | undefined;
  /** Sets the bits of a value, where all are zero before. @throws Misfit */
  readonly encode: (value: Json, into: Buffer, at: number) => void;
  /** Sets each bit that carries meaning: all but padding and what the kernel keeps to itself. */
  readonly mark: (mask: Buffer, at: number) => void;
}
