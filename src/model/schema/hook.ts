import { type Static, Type } from 'typebox';

/** What stands for a container, or for a network, in the name of an owner. */
const name = (maxLength: number) => Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.+-]*$', maxLength });

/**
 * The state of a container as runtimes give it to hooks (OCI runtime specification, `runtime.md`, State).
 * Runtimes add members of their own.
 */
export const ContainerState = Type.Object(
  {
    ociVersion: Type.Optional(Type.String()),
    id: name(240),
    status: Type.Optional(Type.String()),
    pid: Type.Optional(Type.Integer({ minimum: 0 })),
    bundle: Type.Optional(Type.String()),
    annotations: Type.Optional(
      Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()], {
        description:
          '`pinfold/wait`, `pinfold/claim` (paths as in URLs, with spaces between), `pinfold/timeout`',
      }),
    ),
  },
  { $id: 'ContainerState' },
);
export type ContainerState = Static<typeof ContainerState>;

const Paths = Type.Array(Type.String({ description: 'a path as in URLs' }));

/** The configuration of a network as runtimes give it to plugins (CNI specification 1.1). */
export const NetworkConfig = Type.Object(
  {
    cniVersion: Type.String(),
    name: name(100),
    type: Type.Optional(Type.String()),
    wait: Type.Optional(Paths),
    claim: Type.Optional(Paths),
    timeout: Type.Optional(Type.String()),
    runtimeConfig: Type.Optional(
      Type.Object({
        'io.kubernetes.cri.pod-annotations': Type.Optional(Type.Record(Type.String(), Type.String())),
      }),
    ),
    prevResult: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    'cni.dev/valid-attachments': Type.Optional(
      Type.Array(Type.Object({ containerID: Type.String(), ifname: Type.String() }), {
        description: 'GC: what there still is; everything else of this network is released',
      }),
    ),
  },
  { $id: 'NetworkConfig' },
);
export type NetworkConfig = Static<typeof NetworkConfig>;
