import { connect, createServer, type Socket } from 'node:net';

/** A way to a server on which every byte takes some time; disposing closes it. */
export interface SlowProxy extends AsyncDisposable {
  /** Given to clients in place of the server's own. */
  readonly url: string;
  /** Breaks all connections and lets nobody through, until it is called with `false`. */
  cut(isCut: boolean): void;
  /** Takes whoever comes and says nothing to them, ever, until it is called with `false`. */
  hush(isHushed: boolean): void;
  /** How many have come to whom nothing was said. */
  readonly hushed: () => number;
}

/** Opens one before a server of this machine; what is sent arrives `delayMs` later, in order, both ways. */
export async function startSlowProxy(url: string, delayMs: number): Promise<SlowProxy> {
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  let isClosed = false;
  let isSilent = false;
  let hushed = 0;
  const server = createServer((client) => {
    if (isClosed) return void client.destroy();
    if (isSilent) {
      hushed += 1;
      open.add(client);
      client.resume().once('close', () => open.delete(client));
      return;
    }
    const behind = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, behind],
      [behind, client],
    ] as const) {
      open.add(from);
      from.on('data', (bytes) => setTimeout(() => to.writable && to.write(bytes), delayMs));
      from.once('end', () => setTimeout(() => to.end(), delayMs));
      from.once('error', () => to.destroy());
      from.once('close', () => open.delete(from));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const own = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${own}`,
    cut: (isCut) => {
      isClosed = isCut;
      if (isCut) for (const socket of open) socket.destroy();
    },
    hush: (isHushed) => {
      isSilent = isHushed;
    },
    hushed: () => hushed,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
