import { type Static, Type } from 'typebox';
import { Expectation } from './request.ts';

const closed = { additionalProperties: false } as const;
const Id = Type.Integer({ minimum: 1, maximum: 0x7fffffff });
const U32 = Type.Integer({ minimum: 0, maximum: 0xffffffff });

/** A map in a slot of a map of maps, as reads write it and, with `expect`, as it is put there. */
export const MapReference = Type.Object(
  { kind: Type.Literal('map'), id: Id, expect: Type.Optional(Expectation) },
  closed,
);

/** A program in a slot of a prog_array, or beside a device or CPU. */
export const ProgramReference = Type.Object(
  { kind: Type.Literal('program'), id: Id, expect: Type.Optional(Expectation) },
  closed,
);
export type ProgramReference = Static<typeof ProgramReference>;

/** A network device, and the program that packets to it run through (struct bpf_devmap_val). */
export const DeviceInput = Type.Object({ ifindex: U32, program: Type.Optional(ProgramReference) }, closed);

/** How many packets a CPU's queue holds, and the program it runs (struct bpf_cpumap_val). */
export const CpuInput = Type.Object({ qsize: U32, program: Type.Optional(ProgramReference) }, closed);

/** A socket that a process has open; its start time guards against a reused pid. */
export const SocketInput = Type.Object(
  {
    pid: Type.Integer({ minimum: 1, maximum: 4194304 }),
    fd: Type.Integer({ minimum: 0, maximum: 0x7fffffff }),
    start_time: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  closed,
);
