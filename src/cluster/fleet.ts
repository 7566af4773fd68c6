import { type Address, parseAddress } from '../client/address.ts';
import type { RawAnswer } from '../client/transport.ts';
import { parseNodeAddress } from '../model/cluster/documents.ts';
import type { Selector } from '../model/cluster/selector.ts';
import { PinfoldError } from '../model/error.ts';
import type { FleetNode } from '../model/schema/cluster.ts';
import { askEach, type EachAnswer, type EachRequest } from './fan-out/ask-each.ts';
import { type FleetEvents, readFleetEvents } from './fan-out/events.ts';
import {
  type Candidate,
  type FleetListRequest,
  type FleetPage,
  type FleetPosition,
  readFleetPage,
} from './fan-out/list.ts';
import type { ListQuestion } from './fan-out/node-answer.ts';
import type { FleetPlaces } from './fan-out/places.ts';
import { type FleetSummary, streamFleet } from './fan-out/stream.ts';
import type { NodeDirectory } from './membership/nodes.ts';
import type { NodeCaller, NodeRequest, NodeTarget } from './node-call.ts';
import type { PinSets } from './pinset/manager/pin-sets.ts';

/** Which nodes a question is for. */
export interface NodeChoice {
  readonly selector: Selector;
  /** Names, where not all that are selected are meant. */
  readonly nodes?: readonly string[];
}

/** A list of the whole fleet, or of a part of it. */
export interface FleetQuestion extends ListQuestion, NodeChoice {
  readonly signal: AbortSignal;
}

/** What a fleet is asked through. */
export interface FleetParts {
  readonly directory: NodeDirectory;
  readonly caller: NodeCaller;
  readonly pinSets: PinSets;
  /** The agent of this process, which is reached by its unix socket; undefined for a manager alone. */
  readonly own: { readonly name: string; readonly socketPath: string } | undefined;
}

/** The fleet as the API sees it: who is in it, and what all of them or one of them answers. */
export class Fleet {
  readonly #parts: FleetParts;

  constructor(parts: FleetParts) {
    this.#parts = parts;
  }

  /** What is wanted of its nodes. */
  get pinSets(): PinSets {
    return this.#parts.pinSets;
  }

  /** Why what is known of the fleet may be old; undefined while the cluster store is being watched. */
  get trouble(): string | undefined {
    return this.#parts.directory.trouble;
  }

  nodes(selector: Selector): readonly FleetNode[] {
    return this.#parts.directory.list(selector);
  }

  /** @throws PinfoldError node_not_found */
  node(name: string): FleetNode {
    return this.#parts.directory.get(name);
  }

  /** @throws PinfoldError node_not_found, conflict, cluster_unavailable */
  async forget(name: string): Promise<void> {
    await this.#parts.directory.forget(name);
  }

  /** One page. @throws PinfoldError node_not_found, and what nodes say of the question itself */
  async page(
    question: FleetQuestion,
    slice: { readonly limit: number; readonly from: FleetPosition | undefined },
  ): Promise<FleetPage> {
    return await readFleetPage(this.#request(question), slice);
  }

  /** All of it, as nodes answer, as lines of JSON. @throws PinfoldError as `page` */
  stream(question: FleetQuestion): AsyncGenerator<Buffer, FleetSummary, undefined> {
    return streamFleet(this.#request(question));
  }

  /** The next events after some places. @throws PinfoldError as `page` */
  async events(
    question: FleetQuestion,
    slice: { readonly limit: number; readonly after: FleetPlaces },
  ): Promise<FleetEvents> {
    return await readFleetEvents(this.#request(question), slice);
  }

  /** Asks one node anything. @throws PinfoldError node_not_found, node_unreachable */
  async pass(name: string, request: NodeRequest): Promise<RawAnswer> {
    return await this.#parts.caller.call(this.#target(this.node(name)), request);
  }

  /** Asks some nodes the same thing. @throws PinfoldError node_not_found, and what nodes say of it */
  async askEach(nodes: readonly string[], request: EachRequest): Promise<EachAnswer> {
    return await askEach(this.#parts.caller, this.candidates({ selector: [], nodes }), request);
  }

  #request(question: FleetQuestion): FleetListRequest {
    return {
      caller: this.#parts.caller,
      nodes: this.candidates(question),
      question,
      signal: question.signal,
    };
  }

  /** Who is asked, by name. @throws PinfoldError node_not_found for a name that is in nobody's fleet */
  candidates({ selector, nodes: names }: NodeChoice): readonly Candidate[] {
    const nodes = this.nodes(selector);
    const known = new Set(nodes.map(({ name }) => name));
    for (const name of names ?? []) if (!known.has(name)) this.node(name);
    const wanted = names === undefined ? nodes : nodes.filter(({ name }) => names.includes(name));
    return wanted.map((node) => this.#candidate(node));
  }

  #candidate(node: FleetNode): Candidate {
    if (node.state === 'gone')
      return { name: node.name, target: undefined, reason: `gone since ${node.since}` };
    try {
      return { name: node.name, target: this.#target(node), reason: '' };
    } catch (error) {
      if (error instanceof PinfoldError) return { name: node.name, target: undefined, reason: error.message };
      throw error;
    }
  }

  /** @throws PinfoldError node_unreachable */
  #target(node: FleetNode): NodeTarget {
    const { own } = this.#parts;
    if (own?.name === node.name)
      return { name: node.name, address: { kind: 'unix', socketPath: own.socketPath } };
    return { name: node.name, address: addressOf(node) };
  }
}

function addressOf({ name, address: text }: FleetNode): Address {
  try {
    const address = text === undefined ? undefined : parseAddress(parseNodeAddress(text));
    if (address !== undefined) return address;
  } catch (error) {
    throw new PinfoldError(
      'node_unreachable',
      { detail: `The node ${name} gives no address to call.` },
      error,
    );
  }
  throw new PinfoldError('node_unreachable', { detail: `The node ${name} gives no address to call.` });
}
