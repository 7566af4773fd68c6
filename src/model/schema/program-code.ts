import { type Static, Type } from 'typebox';

const number = (description: string) => Type.Optional(Type.Integer({ description }));
const text = (description: string) => Type.Optional(Type.String({ description }));

/** A line of source, from the program's own BTF. */
export const SourceLine = Type.Object(
  {
    file: Type.String(),
    line: Type.Integer({ description: '0 where the compiler did not say' }),
    column: Type.Integer(),
    text: Type.String({ description: 'the line without what it is indented by' }),
  },
  { description: 'line of source that begins here' },
);
export type SourceLine = Static<typeof SourceLine>;

/** One instruction after verification, in numbers, in words, and with what it refers to. */
export const Instruction = Type.Object(
  {
    index: Type.Integer({ description: 'its slot; a 64-bit constant takes two' }),
    opcode: Type.Integer({ minimum: 0, maximum: 255 }),
    dst: Type.Integer({ minimum: 0, maximum: 15 }),
    src: Type.Integer({ minimum: 0, maximum: 15 }),
    off: Type.Integer({ minimum: -32_768, maximum: 32_767 }),
    imm: Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647 }),
    text: Type.String({ description: 'as the verifier and bpftool write it' }),
    value: text('the whole 64-bit constant, hexadecimal, where it is a plain number'),
    map_id: number('map that a constant stands for'),
    map_offset: number('bytes into the first value of that map'),
    target: number('slot that it may jump to'),
    helper: text('kernel function that it calls: a helper, or what the verifier put in its place'),
    kfunc: text('kernel function that it calls by BTF'),
    function: text('symbol of the program’s own function that it calls'),
    signature: text('function that begins here'),
    source: Type.Optional(SourceLine),
  },
  { $id: 'Instruction' },
);
export type Instruction = Static<typeof Instruction>;

const identity = {
  id: Type.Integer({ description: 'the kernel’s id of the program' }),
  name: Type.String(),
  tag: Type.String({ description: 'hash of its instructions before verification' }),
  bytes: Type.Integer({ description: 'of all functions together' }),
};

/** One function of a program, the first of which is the program itself. */
const functionMembers = {
  name: Type.String({ description: 'from BTF; empty without' }),
  tag: Type.Optional(Type.String()),
};

/** What stands before the instructions of a program. */
export const InstructionsHead = Type.Object({
  ...identity,
  image: Type.Literal('xlated'),
  functions: Type.Array(
    Type.Object({ ...functionMembers, index: Type.Integer(), signature: Type.String() }),
    { description: 'where functions begin; empty without BTF' },
  ),
  unavailable: text('why some functions of the kernel are not named'),
});
export type InstructionsHead = Static<typeof InstructionsHead>;

/** `GET /v1/programs/{id}/instructions` as JSON. */
export const ProgramInstructions = Type.Object(
  { ...InstructionsHead.properties, instructions: Type.Array(Instruction) },
  { $id: 'ProgramInstructions' },
);

/** The same with `image=jited`: what there is to know of machine code, which is not disassembled. */
export const ProgramMachineCode = Type.Object(
  {
    ...identity,
    image: Type.Literal('jited'),
    functions: Type.Array(
      Type.Object({
        ...functionMembers,
        symbol: text('what the kernel calls it'),
        address: text('where the kernel has put it, hexadecimal; absent where addresses are hidden'),
        bytes: Type.Integer({ description: 'its length; functions stand end to end' }),
      }),
    ),
  },
  { $id: 'ProgramMachineCode' },
);
export type ProgramMachineCode = Static<typeof ProgramMachineCode>;

/** How a program ran during a time for which statistics were on. */
export const ProgramStatistics = Type.Object({
  duration_ms: Type.Integer({ description: 'how long it was measured' }),
  run_cnt: Type.Integer({ description: 'how often it ran in that time' }),
  run_time_ns: Type.Integer({ description: 'how long it ran in that time' }),
  recursion_misses: Type.Optional(Type.Integer()),
});
export type ProgramStatistics = Static<typeof ProgramStatistics>;
