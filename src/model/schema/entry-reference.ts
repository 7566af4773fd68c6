import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { Expectation } from './request.ts';

const closed = { additionalProperties: false } as const;
const Id = Type.Integer({ minimum: 1, maximum: 0x7fffffff });
const U32 = Type.Integer({ minimum: 0, maximum: 0xffffffff });

/** A map in a slot of a map of maps, as reads write it and, with `expect`, as it is put there. */
const MapReference = Type.Object(
  { kind: Type.Literal('map'), id: Id, expect: Type.Optional(Expectation) },
  closed,
);

/** A program in a slot of a prog_array, or beside a device or CPU. */
const ProgramReference = Type.Object(
  { kind: Type.Literal('program'), id: Id, expect: Type.Optional(Expectation) },
  closed,
);
/** A program, as a value names it. */
export type ProgramReference = Static<typeof ProgramReference>;

/** A network device, and the program that packets to it run through (struct bpf_devmap_val). */
const DeviceInput = Type.Object({ ifindex: U32, program: Type.Optional(ProgramReference) }, closed);

/** How many packets a CPU's queue holds, and the program it runs (struct bpf_cpumap_val). */
const CpuInput = Type.Object({ qsize: U32, program: Type.Optional(ProgramReference) }, closed);

/** A socket that a process has open; its start time guards against a reused pid. */
const SocketInput = Type.Object(
  {
    pid: Type.Integer({ minimum: 1, maximum: 4194304 }),
    fd: Type.Integer({ minimum: 0, maximum: 0x7fffffff }),
    start_time: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  closed,
);

/** A process, whose storage is meant. */
const ProcessInput = Type.Object(
  { pid: SocketInput.properties.pid, start_time: SocketInput.properties.start_time },
  closed,
);

/** A control group of the second version by its id; a text, because ids have 64 bits. */
const CgroupInput = Type.Object(
  { cgroup_id: Type.String({ pattern: '^[1-9][0-9]{0,18}$', examples: ['4711'] }) },
  closed,
);

/** Whether it names a process. */
export function isProcessInput(json: unknown): json is Static<typeof ProcessInput> {
  return Value.Check(ProcessInput, json);
}

/** Whether it names a control group. */
export function isCgroupInput(json: unknown): json is Static<typeof CgroupInput> {
  return Value.Check(CgroupInput, json);
}

/** Whether it names a map. */
export function isMapReference(json: unknown): json is Static<typeof MapReference> {
  return Value.Check(MapReference, json);
}

/** Whether it names a program. */
export function isProgramReference(json: unknown): json is ProgramReference {
  return Value.Check(ProgramReference, json);
}

/** Whether it is a device. */
export function isDeviceInput(json: unknown): json is Static<typeof DeviceInput> {
  return Value.Check(DeviceInput, json);
}

/** Whether it is a CPU. */
export function isCpuInput(json: unknown): json is Static<typeof CpuInput> {
  return Value.Check(CpuInput, json);
}

/** Whether it names a socket. */
export function isSocketInput(json: unknown): json is Static<typeof SocketInput> {
  return Value.Check(SocketInput, json);
}
