import { escapeName } from '../../model/escape.ts';
import { bytesOf } from '../../model/path.ts';
import type { Peer, PeerReader } from '../../model/peer.ts';
import { check } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import { raw } from '../sys/prototypes.ts';
import { findStat } from './process.ts';

/** SOL_SOCKET and SO_PEERCRED of include/uapi/asm-generic/socket.h. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

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
};

function readCredentials(socketFd: number): Omit<Peer, 'comm'> | undefined {
  const ucred = Buffer.alloc(UCRED_SIZE);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(UCRED_SIZE);
  try {
    check('getsockopt', raw.getsockopt(socketFd, SOL_SOCKET, SO_PEERCRED, ucred, length));
  } catch (error) {
    if (isSystemCallError(error, 'ENOTSOCK', 'EBADF', 'ENOPROTOOPT')) return undefined;
    throw error;
  }
  return { pid: ucred.readInt32LE(0), uid: ucred.readUInt32LE(4), gid: ucred.readUInt32LE(8) };
}
