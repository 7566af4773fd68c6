import { PinfoldError } from '../../../model/error.ts';
import type { View } from '../../../model/schema/entry.ts';
import { charArrayCodec } from '../../btf/codec/char-array.ts';
import type { Codec } from '../../btf/codec/codec.ts';
import { numberCodec } from '../../btf/codec/integer.ts';
import { Misfit, shown } from '../../btf/codec/misfit.ts';
import { ipv4Text, ipv6Text, parseAddress } from './address.ts';
import { hexPart } from './hex.ts';
import type { Part } from './part.ts';

/** Bytes that a view is of; those that are not here are of any number. */
const viewSizes: Readonly<Partial<Record<View, number>>> = {
  u8: 1,
  s8: 1,
  u16: 2,
  s16: 2,
  be16: 2,
  u32: 4,
  s32: 4,
  be32: 4,
  u64: 8,
  s64: 8,
  be64: 8,
  ipv4: 4,
  ipv6: 16,
  mac: 6,
};

/**
 * A key or value as somebody who knows better than the kernel says it is.
 *
 * @throws PinfoldError invalid_input where it has another size
 */
export function viewPart(view: View, size: number, pointer: string): Part {
  const wanted = viewSizes[view];
  if (wanted !== undefined && wanted !== size) {
    const detail = `${view} is of ${wanted} ${wanted === 1 ? 'byte' : 'bytes'}, and here are ${size}`;
    throw new PinfoldError('invalid_input', { detail: `${detail}.`, errors: [{ pointer, detail }] });
  }
  switch (view) {
    case 'hex':
      return hexPart(size);
    case 'utf8':
      return codecPart(charArrayCodec(size));
    case 'base64':
      return textPart(size, {
        show: (bytes, at) => bytes.toString('base64', at, at + size),
        parse: (text) => Buffer.from(text, 'base64'),
      });
    case 'ipv4':
      return textPart(size, { show: ipv4Text, parse: (text) => parseAddress(text, 4) });
    case 'ipv6':
      return textPart(size, { show: ipv6Text, parse: (text) => parseAddress(text, 6) });
    case 'mac':
      return textPart(size, {
        show: (bytes, at) => bytes.toString('hex', at, at + 6).replace(/..(?!$)/g, '$&:'),
        parse: (text) =>
          Buffer.from(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? text.replaceAll(':', '') : '', 'hex'),
      });
    case 'be16':
    case 'be32':
    case 'be64':
      return bigEndianPart(size);
    default:
      return codecPart(integerCodec(size, view.startsWith('s')));
  }
}

/** An integer in the order of the machine, 64 bits as decimal text. */
export function integerCodec(size: number, isSigned: boolean): Codec {
  return numberCodec({ offset: 0, width: 8 * size, isSigned, size, isText: size > 4 });
}

/** The codec of a type as a part. */
export function codecPart(codec: Pick<Codec, 'size' | 'write' | 'emit' | 'encode'>): Part {
  return {
    write: codec.write,
    emit: codec.emit,
    parse: (value) => {
      const bytes = Buffer.alloc(codec.size);
      try {
        codec.encode(value, bytes, 0);
      } catch (thrown) {
        throw thrown instanceof Misfit ? thrown.toError() : thrown;
      }
      return bytes;
    },
  };
}

function bigEndianPart(size: number): Part {
  const { write, parse } = codecPart(integerCodec(size, false));
  const turned = Buffer.alloc(size);
  return {
    write: (bytes, at, text) => {
      for (let index = 0; index < size; index++) turned[index] = bytes[at + size - 1 - index] ?? 0;
      write(turned, 0, text);
    },
    parse: (value) => parse(value).reverse(),
  };
}

/** How a text stands for bytes. */
interface TextForm {
  readonly show: (bytes: Buffer, at: number) => string;
  readonly parse: (text: string) => Buffer;
}

/** A part that is a string without anything JSON would escape. */
export function textPart(size: number, { show, parse }: TextForm): Part {
  return {
    write: (bytes, at, text) => text.string(`"${show(bytes, at)}"`),
    parse: (value) => {
      const bytes = typeof value === 'string' ? parse(value) : undefined;
      if (bytes?.length === size) return bytes;
      throw new PinfoldError('invalid_input', {
        detail: `${shown(value)} does not stand for ${size} bytes.`,
      });
    },
  };
}
