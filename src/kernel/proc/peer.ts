import { escapeName } from '../../model/escape.ts';
import { bytesOf } from '../../model/path.ts';
import type { Peer, PeerReader } from '../../model/peer.ts';
import { check } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import { raw } from '../sys/prototypes.ts';
import { findStat } from './process.ts';

/** SOL_SOCKET, SO_PEERCRED and SO_DOMAIN of include/uapi/asm-generic/socket.h, AF_UNIX of linux/socket.h. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_DOMAIN = 39;
const AF_UNIX = 1;

/** struct ucred { pid_t pid; uid_t uid; gid_t gid; } of include/linux/socket.h. */
const UCRED_SIZE = 12;

/** What a socket that nobody of this machine connected says for a user: minus one. */
const NOBODY = 0xffffffff;

/**
 * Reads who connected to a unix socket (SO_PEERCRED).
 *
 * User and group are the kernel's word for the moment of connect(2). The pid may belong to somebody else by
 * now, and a name can be chosen freely: they are for history, never for a decision. A peer in a pid namespace
 * that cannot be seen has pid 0.
 */
export const peerReader: PeerReader = {
  read: (socketFd) => {
    const credentials = readCredentials(socketFd);
    if (credentials === undefined || credentials.uid === NOBODY) return undefined;
    const comm = credentials.pid === 0 ? undefined : findStat(credentials.pid)?.comm;
    return { ...credentials, comm: escapeName(bytesOf(comm ?? '')) };
  },
  isUnix: (socketFd) => readOption(socketFd, SO_DOMAIN, 4)?.readInt32LE(0) === AF_UNIX,
};

function readCredentials(socketFd: number): Omit<Peer, 'comm'> | undefined {
  const ucred = readOption(socketFd, SO_PEERCRED, UCRED_SIZE);
  if (ucred === undefined) return undefined;
  return { pid: ucred.readInt32LE(0), uid: ucred.readUInt32LE(4), gid: ucred.readUInt32LE(8) };
}

/** Undefined where the descriptor is no socket, or one that has no such option. */
function readOption(socketFd: number, option: number, size: number): Buffer | undefined {
  const value = Buffer.alloc(size);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(size);
  try {
    check('getsockopt', raw.getsockopt(socketFd, SOL_SOCKET, option, value, length));
  } catch (error) {
    if (isSystemCallError(error, 'ENOTSOCK', 'EBADF', 'ENOPROTOOPT')) return undefined;
    throw error;
  }
  return value;
}
