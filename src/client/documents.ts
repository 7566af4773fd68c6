import type { paths } from './generated.ts';
import type { ItemOf } from './list.ts';

/** A pin: a name in a bpffs and what it holds. */
export type Pin = ItemOf<'/v1/pins'>;
/** A directory, a pin, a symbolic link, or what else has a name. */
export type TreeEntry = ItemOf<'/v1/tree'>;
/** One bpffs instance. */
export type Mount = ItemOf<'/v1/mounts'>;
/** An object of any kind. */
export type BpfObject = ItemOf<'/v1/objects'>;
/** A map, with everything the kernel tells of it. */
export type BpfMap = ItemOf<'/v1/maps'>;
/** A program, with everything the kernel tells of it. */
export type Program = ItemOf<'/v1/programs'>;
/** A link, with everything the kernel tells of it. */
export type Link = ItemOf<'/v1/links'>;
/** A BTF object. */
export type Btf = ItemOf<'/v1/btfs'>;
/** Something worth attention. */
export type Finding = ItemOf<'/v1/findings'>;
/** One line of history. */
export type Event = ItemOf<'/v1/events'>;
/** An owner's claim on pins. */
export type Claim = ItemOf<'/v1/claims'>;
/** A token without its secret. */
export type Token = ItemOf<'/v1/tokens'>;
/** A token that every manager of a fleet takes. */
export type FleetToken = ItemOf<'/v1/cluster/tokens'>;
/** A receiver of events, without its secrets. */
export type Webhook = ItemOf<'/v1/webhooks'>;
/** The same, with a secret that was made for it. */
export type NewWebhook = paths['/v1/webhooks/{name}']['put']['responses'][201]['content']['application/json'];
/** What was sent to one. */
export type WebhookDelivery = ItemOf<'/v1/webhooks/{name}/deliveries'>;
/** A node of the fleet, as its manager knows it. */
export type FleetNode = ItemOf<'/v1/cluster/nodes'>;
/** What nodes must have pinned, as the manager tells it. */
export type PinSetDocument = ItemOf<'/v1/cluster/pinsets'>;
/** What people say must be pinned. */
export type PinSetBody =
  paths['/v1/cluster/pinsets/{name}']['put']['requestBody']['content']['application/json'];
/** How far that is, by node. */
export type PinSetStatus =
  paths['/v1/cluster/pinsets/{name}/status']['get']['responses'][200]['content']['application/json'];
/** What one node came to. */
export type PinSetOnNode = PinSetStatus['items'][number];
/** What each node would do for a pin set. */
export type FleetPinSetDiff =
  paths['/v1/cluster/pinsets/{name}/diff']['post']['responses'][200]['content']['application/json'];
/** A pin set that only nodes have. */
export type AdoptablePinSet = ItemOf<'/v1/cluster/adoptable'>;
/** The machine whose agent answers. */
export type Node = paths['/v1/node']['get']['responses'][200]['content']['application/json'];
/** How a wait for a pin ended. */
export type Wait = Extract<
  paths['/v1/pins/{path}']['get']['responses'][200]['content']['application/json'],
  { readonly condition: string }
>;
/** What a path held at some time. */
export type PinThen = Extract<
  paths['/v1/pins/{path}']['get']['responses'][200]['content']['application/json'],
  { readonly at: string }
>;
/** Why an object is alive: who holds it, in sentences and as a graph. */
export type Why = paths['/v1/maps/{id}/why']['get']['responses'][200]['content']['application/json'];
/** The programs that run longest. */
export type TopPrograms = paths['/v1/top/programs']['get']['responses'][200]['content']['application/json'];
/** How one of them ran. */
export type ProgramUsage = TopPrograms['items'][number];
/** The maps that take most. */
export type TopMaps = paths['/v1/top/maps']['get']['responses'][200]['content']['application/json'];
/** What one of them takes. */
export type MapUsage = TopMaps['items'][number];
/** A pin in quarantine. */
export type Quarantined =
  paths['/v1/quarantine/{id}']['get']['responses'][200]['content']['application/json'];
/** Which pins nobody needs, and what becomes of them. */
export type GcAnswer = paths['/v1/gc']['post']['responses'][200]['content']['application/json'];
/** What is asked to be cleaned up. */
export type GcBody = paths['/v1/gc']['post']['requestBody']['content']['application/json'];
/** What a change came to. */
export type Operation = paths['/v1/operations/{id}']['get']['responses'][200]['content']['application/json'];

/** The body that makes a pin. */
export type PinRequest = paths['/v1/pins/{path}']['put']['requestBody']['content']['application/json'];
/** The body that makes a map. */
export type MapSpecification = paths['/v1/maps']['post']['requestBody']['content']['application/json'];
/** The body of several changes. */
export type BatchRequest = paths['/v1/batch']['post']['requestBody']['content']['application/json'];
