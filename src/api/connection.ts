import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type Identity, parseIdentity } from '../cluster/pki/identity.ts';
import type { Peer, PeerReader } from '../model/peer.ts';
import type { Guard } from './guard.ts';

/** What a request's listener says of it. */
export interface Entrance {
  readonly kind: 'unix' | 'tcp';
  /** TCP only: refuses other sites and other hosts. */
  readonly guard: Guard | undefined;
  /** Whether everybody who comes in has shown a certificate of an authority we know. */
  readonly hasCertificates: boolean;
}

/**
 * Remembers by which listener a request came, and who is at the other end of its socket.
 *
 * One routing serves all listeners; what differs between them is kept here and nowhere else.
 */
export class Connections {
  readonly #peers: PeerReader;
  readonly #entrances = new WeakMap<Socket, Entrance>();
  readonly #peerOf = new WeakMap<Socket, Peer>();
  readonly #certificateOf = new WeakMap<Socket, Identity>();

  constructor(peers: PeerReader) {
    this.#peers = peers;
  }

  /** Called for each request by the listener that got it. */
  tag(request: IncomingMessage, entrance: Entrance): void {
    if (!this.#entrances.has(request.socket)) this.#entrances.set(request.socket, entrance);
  }

  /** Undefined for a request that came by no listener; such a one has no rights. */
  entranceOf(request: IncomingMessage): Entrance | undefined {
    return this.#entrances.get(request.socket);
  }

  /** Whose certificate the connection has shown; undefined where that is not asked for. */
  certificateOf(request: IncomingMessage): Identity | undefined {
    const { socket } = request;
    if (this.entranceOf(request)?.hasCertificates !== true) return undefined;
    const known = this.#certificateOf.get(socket);
    if (known !== undefined) return known;
    const isShown = socket instanceof TLSSocket && socket.authorized;
    const identity = parseIdentity(isShown ? socket.getPeerX509Certificate()?.subjectAltName : undefined);
    this.#certificateOf.set(socket, identity);
    return identity;
  }

  /** The peer of a unix socket; asked once a connection, because the kernel noted it at connect(2). */
  peerOf(socket: Socket): Peer | undefined {
    const known = this.#peerOf.get(socket);
    if (known !== undefined) return known;
    const fd = descriptorOf(socket);
    const peer = fd === undefined ? undefined : this.#peers.read(fd);
    if (peer !== undefined) this.#peerOf.set(socket, peer);
    return peer;
  }
}

/**
 * Node has no public way to a socket's descriptor; the handle of libuv's pipe has carried it since Node
 * 0.x.
 */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, 'fd');
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
