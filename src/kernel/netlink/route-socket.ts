import { type Calls, check } from '../sys/calls.ts';
import { errnoName, SystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { raw } from '../sys/prototypes.ts';
import { dumpRequest, type Message, parseAnswer } from './message.ts';

/** AF_NETLINK, SOCK_RAW, SOCK_CLOEXEC and NETLINK_ROUTE of include/linux/socket.h, net.h and netlink.h. */
const socketArguments = [16, 3 | 0o2000000, 0] as const;

/** The kernel answers before sendto(2) returns (netlink_dump_start): nothing is ever waited for. */
const MSG_DONTWAIT = 0x40;

/** What the kernel puts into one datagram of a dump at most (net/netlink/af_netlink.c). */
const DATAGRAM_BYTES = 64 * 1024;

/** So often a dump is asked for again where what it lists changed under it. */
const attemptsMax = 4;

/** A routing socket of the network namespace in which it was opened; it stays of that one. */
export class RouteSocket implements Disposable {
  readonly #socket: Fd;
  readonly #buffer: Buffer;
  #sequence = 0;

  /** @throws SystemCallError */
  constructor(calls: Calls, buffer = Buffer.allocUnsafeSlow(DATAGRAM_BYTES)) {
    this.#socket = calls.fds.adopt(check('socket', raw.socket(...socketArguments)), 'routing socket');
    this.#buffer = buffer;
  }

  /**
   * All that a dump lists; `body` is the fixed structure of the type with its attributes (rtnetlink(7)).
   *
   * @throws SystemCallError where the kernel refuses the request
   */
  dump(type: number, body: Buffer): readonly Message[] {
    for (let attempt = 1; ; attempt++) {
      const { messages, isInterrupted } = this.#dumpOnce(type, body);
      if (!isInterrupted || attempt === attemptsMax) return messages;
    }
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  #dumpOnce(
    type: number,
    body: Buffer,
  ): { readonly messages: readonly Message[]; readonly isInterrupted: boolean } {
    const request = dumpRequest(type, ++this.#sequence, body);
    check('sendto', raw.sendto(this.#socket.number, request, request.length, 0, null, 0));
    const messages: Message[] = [];
    let isInterrupted = false;
    for (;;) {
      const answer = parseAnswer(this.#receive(), this.#sequence);
      isInterrupted ||= answer.isInterrupted;
      if (answer.errno !== undefined) throw new SystemCallError('netlink', errnoName(answer.errno));
      for (const message of answer.messages) messages.push({ ...message, body: Buffer.from(message.body) });
      if (answer.isDone) return { messages, isInterrupted };
    }
  }

  #receive(): Buffer {
    const { number } = this.#socket;
    const length = raw.recvfrom(number, this.#buffer, this.#buffer.length, MSG_DONTWAIT, null, null);
    return this.#buffer.subarray(0, check('recvfrom', length));
  }
}
