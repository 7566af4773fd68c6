/** struct nlmsghdr of include/uapi/linux/netlink.h; all little-endian. */
const header = { size: 16, length: 0, type: 4, flags: 6, sequence: 8 } as const;

/** Message types that end or fail a dump. */
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

/** NLM_F_REQUEST | NLM_F_DUMP. */
const dumpFlags = 0x301;

/** NLM_F_DUMP_INTR: what is dumped changed meanwhile, and the dump may lack something. */
const DUMP_INTERRUPTED = 0x10;

/** NLA_F_NESTED and NLA_F_NET_BYTEORDER, which are no part of an attribute's type. */
const TYPE_MASK = 0x3fff;

/** One message of an answer: its type, and what follows the header. */
export interface Message {
  readonly type: number;
  readonly body: Buffer;
}

/** What one datagram of a dump has. */
export interface Answer {
  readonly messages: readonly Message[];
  readonly isDone: boolean;
  /** An errno, positive, where the kernel refused. */
  readonly errno?: number;
  readonly isInterrupted: boolean;
}

/** A request to dump: the header, then the fixed structure of the type and its attributes. */
export function dumpRequest(type: number, sequence: number, body: Buffer): Buffer {
  const message = Buffer.alloc(header.size);
  message.writeUInt32LE(header.size + body.length, header.length);
  message.writeUInt16LE(type, header.type);
  message.writeUInt16LE(dumpFlags, header.flags);
  message.writeUInt32LE(sequence, header.sequence);
  return Buffer.concat([message, body]);
}

/** An attribute: `u16 length, u16 type`, its bytes, padded to four. */
export function attribute(type: number, bytes: Buffer): Buffer {
  const padded = Buffer.alloc((4 + bytes.length + 3) & ~3);
  padded.writeUInt16LE(4 + bytes.length, 0);
  padded.writeUInt16LE(type, 2);
  bytes.copy(padded, 4);
  return padded;
}

/**
 * The messages of one datagram; those of another request (`sequence`) are passed over. A length that does not
 * fit ends the parsing.
 */
export function parseAnswer(bytes: Buffer, sequence: number): Answer {
  const messages: Message[] = [];
  let isInterrupted = false;
  for (let at = 0; at + header.size <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + header.length);
    if (length < header.size || at + length > bytes.length) break;
    const type = bytes.readUInt16LE(at + header.type);
    const body = bytes.subarray(at + header.size, at + length);
    if (bytes.readUInt32LE(at + header.sequence) === sequence) {
      isInterrupted ||= (bytes.readUInt16LE(at + header.flags) & DUMP_INTERRUPTED) !== 0;
      if (type === NLMSG_DONE) return { messages, isDone: true, isInterrupted };
      if (type === NLMSG_ERROR) {
        const errno = body.length >= 4 ? -body.readInt32LE(0) : 0;
        return { messages, isDone: true, isInterrupted, ...(errno === 0 ? {} : { errno }) };
      }
      messages.push({ type, body });
    }
    at += (length + 3) & ~3;
  }
  return { messages, isDone: false, isInterrupted };
}

/** Attributes by their type, the last of each; what does not fit ends the parsing (struct nlattr). */
export function parseAttributes(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & TYPE_MASK, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

/** A u32 of an attribute; undefined where it is absent or too short. */
export function u32Of(attributes: ReadonlyMap<number, Buffer>, type: number): number | undefined {
  const bytes = attributes.get(type);
  return bytes !== undefined && bytes.length >= 4 ? bytes.readUInt32LE(0) : undefined;
}

/** A text of an attribute up to its NUL, as a byte string. */
export function textAttribute(attributes: ReadonlyMap<number, Buffer>, type: number): string | undefined {
  const bytes = attributes.get(type);
  if (bytes === undefined) return undefined;
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}
