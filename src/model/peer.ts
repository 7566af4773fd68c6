/**
 * Who is at the other end of a unix socket, as the kernel recorded it at connect(2) (SO_PEERCRED, unix(7)).
 */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** The process's name (`/proc/PID/comm`), as bytes made printable; empty if it has ended already. */
  readonly comm: string;
}

/** Asks the kernel who connected. `src/kernel` implements it, `main.ts` hands it to the API. */
export interface PeerReader {
  /** Undefined where the descriptor is not a connected unix socket. */
  read(socketFd: number): Peer | undefined;
  /** Whether a socket, connected or not, is of AF_UNIX; false for what is none. */
  isUnix(socketFd: number): boolean;
}
