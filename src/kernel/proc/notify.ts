import { type Calls, check } from '../sys/calls.ts';
import { raw } from '../sys/prototypes.ts';

/** include/linux/socket.h and include/uapi/linux/net.h. */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** Bytes of `sun_path` in struct sockaddr_un. */
const PATH_BYTES = 108;

/**
 * Tells the service manager something, as sd_notify(3) does: one datagram of `NAME=value` lines.
 *
 * `address` is what NOTIFY_SOCKET says: an absolute path, or `@name` for an abstract socket. Never waits: a
 * manager that does not read gives EAGAIN.
 * @throws SystemCallError where nobody listens there; RangeError where it is no such address
 */
export function notify(calls: Calls, address: string, state: string): void {
  const to = socketAddress(address);
  const message = Buffer.from(state, 'utf8');
  const number = check('socket', raw.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  using socket = calls.fds.adopt(number, `notification socket ${address}`);
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  check('sendto', raw.sendto(socket.number, message, message.length, flags, to, to.length));
}

/** struct sockaddr_un; an abstract name begins with NUL, and its length says where it ends (unix(7)). */
function socketAddress(address: string): Buffer {
  const name = Buffer.from(address, 'utf8');
  const isAbstract = address.startsWith('@');
  const isUsable = (isAbstract || address.startsWith('/')) && name.length > 1 && !address.includes('\0');
  if (!isUsable || name.length >= PATH_BYTES) {
    throw new RangeError(`${address} is no address of a notification socket`);
  }
  if (isAbstract) name[0] = 0;
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat(isAbstract ? [family, name] : [family, name, Buffer.alloc(1)]);
}
