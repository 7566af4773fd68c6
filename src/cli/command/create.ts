import { Command } from 'commander';
import type { MapSpecification } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { collect, parseNumber, parsePathArgument, pathBody } from '../argument.ts';
import { type AttributeFlags, addAttributeOptions, parseAttributes } from '../attributes.ts';
import {
  addChangeOptions,
  type ChangeFlags,
  hazardQuery,
  objectOf,
  pathText,
  tellChange,
} from '../change.ts';
import { type Cli, mountOf } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { resolveMap } from '../map-argument.ts';
import { readDocument } from '../read-document.ts';

interface CreateFlags extends ChangeFlags, AttributeFlags {
  readonly file?: string;
  readonly type?: string;
  readonly key?: string;
  readonly value?: string;
  readonly entries?: string;
  readonly name?: string;
  readonly flag?: readonly string[];
  readonly mapExtra?: string;
  readonly numaNode?: string;
  readonly btfOf?: string;
  readonly keyType?: string;
  readonly valueType?: string;
  readonly inner?: string;
  readonly freeze?: boolean;
  readonly parents?: boolean;
}

/** `pinfold create`: makes objects. */
export function createCommand(cli: Cli): Command {
  return new Command('create').description('make a map').addCommand(createMapCommand(cli));
}

/** `pinfold create map`: makes a map, which is pinned from the beginning. */
function createMapCommand(cli: Cli): Command {
  const command = new Command('map')
    .description('make a map and pin it; -f takes what `pinfold spec map` prints, and options change it')
    .argument('[path]', 'where to pin it, inside the bpffs; not needed where the file says it')
    .option('-f, --file <file>', 'YAML or JSON as POST /v1/maps takes it; - for standard input')
    .option('--type <type>', 'as bpftool names it: hash, lru_percpu_hash, ringbuf')
    .option('--key <bytes>', 'size of a key')
    .option('--value <bytes>', 'size of a value')
    .option('--entries <count>', 'how many fit; bytes for ring buffers, pages for arenas')
    .option('--name <name>', 'up to 15 of A-Z a-z 0-9 _ and .')
    .option('--flag <flag>', 'no_prealloc, mmapable…; may be repeated', collect)
    .option('--map-extra <number>', 'hash functions of a bloom filter, the address of an arena')
    .option('--numa-node <node>', 'the node of memory it is on')
    .option('--btf-of <map>', 'with the types of this map; --key-type and --value-type name them')
    .option('--key-type <type>', 'name of the type of a key')
    .option('--value-type <type>', 'name of the type of a value')
    .option('--inner <map>', 'maps inside of it are made like this one')
    .option('--freeze', 'close it to writes from user space once it is filled')
    .option('--parents', 'make missing directories');
  return addChangeOptions(addAttributeOptions(command)).action(
    async (path: string | undefined, flags: CreateFlags) => {
      const query = hazardQuery(flags);
      const body = await specificationOf(cli, path, flags);
      const { api } = await cli.client();
      const answer = await readData(api.POST('/v1/maps', { params: { query }, body }));
      const where = path === undefined ? '' : ` and pinned at ${pathText(parsePathArgument(path))}`;
      const isMap = 'id' in answer;
      const name = isMap ? `map:${answer.id}` : '';
      await tellChange(cli, { answer, name, sentence: isMap ? `${objectOf(answer)} created${where}` : '' });
      if (body.freeze === true && (body.entries ?? []).length === 0) await cli.err.line(emptyForGood);
    },
  );
}

const emptyForGood = 'pinfold: A map that is frozen without entries can never be filled from user space.';

/** The file, with what the options say put over it. @throws UsageError, ClientError */
async function specificationOf(
  cli: Cli,
  path: string | undefined,
  flags: CreateFlags,
): Promise<MapSpecification> {
  const file = flags.file === undefined ? {} : await readDocument(cli.io, flags.file);
  if (typeof file !== 'object' || file === null || Array.isArray(file))
    throw new UsageError('The file must hold a mapping, as `pinfold spec map` prints it.');
  const body = { ...(flags.file === undefined ? empty : {}), ...file, ...(await optionsOf(cli, flags)) };
  const placed = path === undefined ? body : { ...body, pin: { ...pinOf(cli, path, flags) } };
  if (!isSpecification(placed)) throw new UsageError('Say what to make: --type hash, or -f FILE.');
  if (placed.pin === undefined) throw new UsageError('Say where to pin it: nothing else would keep it.');
  return placed;
}

/** What a map without options has; the kernel says what its type needs. */
const empty = { key_size: 0, value_size: 0, max_entries: 0 } as const;

async function optionsOf(cli: Cli, flags: CreateFlags): Promise<Partial<MapSpecification>> {
  const { type, key, value, entries, name, flag, mapExtra, numaNode, inner, freeze } = flags;
  const number = (text: string): number => parseNumber(text, { min: 0, max: 0xffffffff });
  const btf = await btfOf(cli, flags);
  return {
    ...(type === undefined ? {} : { type }),
    ...(key === undefined ? {} : { key_size: number(key) }),
    ...(value === undefined ? {} : { value_size: number(value) }),
    ...(entries === undefined ? {} : { max_entries: number(entries) }),
    ...(name === undefined ? {} : { name }),
    ...(flag === undefined ? {} : { flags: [...flag] }),
    ...(mapExtra === undefined ? {} : { map_extra: mapExtra }),
    ...(numaNode === undefined ? {} : { numa_node: number(numaNode) }),
    ...(btf === undefined ? {} : { btf }),
    ...(inner === undefined ? {} : { inner: { id: Number(await resolveMap(cli, inner)) } }),
    ...(freeze === true ? { freeze: true } : {}),
  };
}

async function btfOf(cli: Cli, flags: CreateFlags): Promise<MapSpecification['btf']> {
  const { btfOf: map, keyType, valueType } = flags;
  if (map === undefined) {
    if (keyType === undefined && valueType === undefined) return undefined;
    throw new UsageError('--key-type and --value-type name types of --btf-of MAP.');
  }
  return {
    map: Number(await resolveMap(cli, map)),
    ...(keyType === undefined ? {} : { key_type: keyType }),
    ...(valueType === undefined ? {} : { value_type: valueType }),
  };
}

function pinOf(cli: Cli, path: string, flags: CreateFlags): NonNullable<MapSpecification['pin']> {
  return {
    ...pathBody(parsePathArgument(path)),
    ...mountOf(cli),
    ...parseAttributes(flags),
    ...(flags.parents === true ? { parents: true } : {}),
  };
}

/** Only the type cannot be done without here; everything else is for the agent to judge. */
function isSpecification(body: object): body is MapSpecification {
  return 'type' in body && typeof body.type === 'string';
}
