import { Agent, request } from 'node:http';
import type { Random } from '../../support/seed.ts';

/** A change that the agent said is done. */
export interface Acknowledged {
  readonly operationId: string;
  readonly path: string;
  /** Of the event it may have. */
  readonly types: readonly string[];
}

/** Clients that pin and unpin as fast as they are answered, each at names of its own. */
export class PinClients {
  readonly acknowledged: Acknowledged[] = [];
  /** Requests whose answer never came. */
  cutOff = 0;
  readonly #socket: string;
  readonly #maps: readonly number[];
  readonly #draw: Random;

  constructor(socket: string, maps: readonly number[], draw: Random) {
    this.#socket = socket;
    this.#maps = maps;
    this.#draw = draw;
  }

  /** All of them work until the agent is gone. */
  async work(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, index) => this.#workAs(`c${index}_`)));
  }

  async #workAs(prefix: string): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (;;) {
        const path = `${prefix}${this.#draw.int(3)}`;
        if (this.#draw.int(3) === 0) await this.#change(agent, 'DELETE', path);
        else {
          const source = { kind: 'map', id: this.#draw.pick(this.#maps) };
          await this.#change(agent, 'PUT', path, JSON.stringify({ source, replace: true }));
        }
      }
    } catch {
      this.cutOff += 1;
    } finally {
      agent.destroy();
    }
  }

  async #change(agent: Agent, method: 'PUT' | 'DELETE', path: string, body = ''): Promise<void> {
    const operationId = await this.#ask({ agent, method, path: `/v1/pins/${path}?force=true`, body });
    const types = method === 'DELETE' ? ['pin.removed'] : ['pin.created', 'pin.replaced'];
    if (operationId !== undefined) this.acknowledged.push({ operationId, path, types });
  }

  /** The operation of a change that was made; rejects where no whole answer comes. */
  #ask({ body, ...asked }: { agent: Agent; method: string; path: string; body: string }) {
    const headers = body === '' ? {} : { 'content-type': 'application/json' };
    return new Promise<string | undefined>((resolve, reject) => {
      const sent = request({ socketPath: this.#socket, headers, ...asked }, (answer) => {
        const { statusCode = 0, headers: told } = answer;
        const operation = told['pinfold-operation'];
        answer.resume().on('error', reject);
        answer.on('end', () =>
          resolve(statusCode < 300 && typeof operation === 'string' ? operation : undefined),
        );
      });
      sent.on('error', reject).end(body);
    });
  }
}
