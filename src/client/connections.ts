import { Client } from 'undici';

/**
 * Connections to one server, each for one request at a time and kept for the next one; as many as there are
 * requests at one time. undici's own pool sets aside 16 KiB for a queue, which a manager of a thousand nodes,
 * who has one request for each of them, pays a thousand times.
 */
export class Connections {
  readonly #origin: string;
  readonly #options: Client.Options;
  readonly #clients = new Set<Client>();

  constructor(origin: string, options: Client.Options) {
    this.#origin = origin;
    this.#options = options;
  }

  /** One that nobody uses now; what is asked of it connects. */
  idle(): Client {
    for (const client of this.#clients) if (client.stats.size === 0) return client;
    const client = new Client(this.#origin, this.#options);
    this.#clients.add(client);
    client.once('disconnect', () => this.#clients.delete(client));
    client.once('connectionError', () => this.#clients.delete(client));
    return client;
  }

  /**
   * Nobody waits for what was asked of this one any more. Where it is still being made it is let go: undici
   * would keep the request until it is there, and the kernel asks a server that was away later and later.
   */
  leave(client: Client): void {
    if (client.stats.connected) return;
    this.#clients.delete(client);
    void client.destroy();
  }

  /** Ends those that nobody uses, and each of the others when it has been answered. */
  async retire(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.close()));
  }

  /** Ends all of them, with what is still being asked. */
  async close(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.destroy()));
  }
}
