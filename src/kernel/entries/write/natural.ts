import { PinfoldError } from '../../../model/error.ts';
import type { ValueMeaning } from '../map-types.ts';
import { ipv4Text, ipv6Text, parseAddress } from './address.ts';
import { hexPart, parseHex } from './hex.ts';
import type { Part, Write } from './part.ts';

/** Bytes of `prefixlen`, which a trie's key begins with (struct bpf_lpm_trie_key_hdr). */
const lengthBytes = 4;

/**
 * The key of a trie: `"10.0.0.0/8"` where four or sixteen bytes follow the length, else
 * `{"prefix_len":12,"data":"…"}`. Bits behind the prefix are shown as they are stored.
 */
export function prefixPart(keySize: number): Part {
  const dataBytes = keySize - lengthBytes;
  if (dataBytes === 4 || dataBytes === 16) return addressPrefix(dataBytes);
  const data = hexPart(dataBytes);
  return {
    write: (bytes, at, text) => {
      text.string(`{"prefix_len":${bytes.readUInt32LE(at)},"data":`);
      data.write(bytes, at + lengthBytes, text);
      text.byte(0x7d);
    },
    parse: (value) => {
      const { prefix_len: length, data: digits } = Object(value);
      if (Number.isInteger(length) && length >= 0 && length <= 8 * dataBytes) {
        return Buffer.concat([u32(length), parseHex(digits ?? null, dataBytes)]);
      }
      throw new PinfoldError('invalid_input', { detail: 'A prefix is wanted: {"prefix_len":…,"data":"…"}.' });
    },
  };
}

function addressPrefix(dataBytes: 4 | 16): Part {
  const show = dataBytes === 4 ? ipv4Text : ipv6Text;
  return {
    write: (bytes, at, text) => text.string(`"${show(bytes, at + lengthBytes)}/${bytes.readUInt32LE(at)}"`),
    parse: (value) => {
      const [, address = '', length = ''] = /^(.+)\/(\d{1,3})$/.exec(String(value)) ?? [];
      if (length === '' || Number(length) > 8 * dataBytes) {
        throw new PinfoldError('invalid_input', { detail: 'A prefix is wanted, such as "10.0.0.0/8".' });
      }
      return Buffer.concat([u32(Number(length)), parseAddress(address, dataBytes === 4 ? 4 : 6)]);
    },
  };
}

/** A value that the kernel gives a meaning: the object, device or socket it stands for. */
export function meaningWrite(meaning: ValueMeaning, wireSize: number): Write {
  switch (meaning) {
    case 'map':
    case 'program':
      return (bytes, at, text) => text.string(reference(meaning, bytes.readUInt32LE(at)));
    case 'device':
      return withProgram('ifindex', wireSize);
    case 'cpu':
      return withProgram('qsize', wireSize);
    case 'cookie':
      return (bytes, at, text) => text.string(`{"socket_cookie":"${bytes.readBigUInt64LE(at)}"}`);
  }
}

/** struct bpf_devmap_val and bpf_cpumap_val: a number and, in eight bytes, the program run there. */
function withProgram(name: string, wireSize: number): Write {
  return (bytes, at, text) => {
    const program = wireSize >= 8 ? bytes.readUInt32LE(at + 4) : 0;
    const also = program === 0 ? '' : `,"program":${reference('program', program)}`;
    text.string(`{"${name}":${bytes.readUInt32LE(at)}${also}}`);
  };
}

function reference(kind: string, id: number): string {
  return `{"kind":"${kind}","id":${id}}`;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  bytes.writeUInt32LE(value);
  return bytes;
}
