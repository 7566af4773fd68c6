import { execFileSync, spawnSync } from 'node:child_process';

/**
 * What bpftool says of a map; the fields most tests compare. Its `btf_id` is wrong for maps without BTF on
 * 6.18.
 */
export interface BpftoolMap {
  readonly id: number;
  readonly type: string;
  readonly name?: string;
  readonly flags: number;
  readonly bytes_key: number;
  readonly bytes_value: number;
  readonly max_entries: number;
  readonly bytes_memlock?: number;
  readonly frozen?: number;
  readonly pinned?: readonly string[];
}

/** What bpftool says of a program. */
export interface BpftoolProgram {
  readonly id: number;
  readonly type: string;
  readonly name?: string;
  readonly tag: string;
  readonly uid: number;
  readonly loaded_at: number;
  readonly bytes_xlated: number;
  readonly bytes_jited?: number;
  readonly bytes_memlock?: number;
  readonly map_ids?: readonly number[];
  readonly btf_id?: number;
  readonly pinned?: readonly string[];
}

/** What bpftool says of a link; the rest of its fields depend on the type. */
export interface BpftoolLink {
  readonly id: number;
  readonly type: string;
  readonly prog_id?: number;
  readonly pinned?: readonly string[];
}

/** How to make a map with bpftool. The name starts with `pf_`, so that what a test leaves behind is found. */
export interface MapSpec {
  readonly type?: string;
  readonly key?: number;
  readonly value?: number;
  readonly entries?: number;
  readonly name?: `pf_${string}`;
  readonly flags?: number;
}

/**
 * Runs `bpftool -j` and gives what it printed, as JSON. It is an oracle: independent of the code under test.
 *
 * The caller names the shape; nothing here checks it, because a test that misreads bpftool fails anyway.
 * A list of all stops at what is freed, or not yet settled, while it is made: then it is asked again.
 * @throws Error with bpftool's own words when it exits with anything but 0.
 */
export function bpftool<T>(...args: readonly string[]): T {
  const ask = () => spawnSync('bpftool', ['-j', ...args], { encoding: 'utf8', maxBuffer: 1 << 30 });
  let run = ask();
  for (let again = 0; again < 10 && args.length === 2 && run.status === 255; again++) run = ask();
  if (run.error !== undefined) throw run.error;
  if (run.status !== 0) {
    throw new Error(`bpftool ${args.join(' ')} exited ${run.status}: ${run.stdout}${run.stderr}`.trim());
  }
  // bpftool does not escape control characters inside strings, which other tests make on purpose.
  const text = run.stdout.replace(/\p{Cc}/gu, ' ').trim();
  return JSON.parse(text === '' ? 'null' : text) as T;
}

/** All maps of the machine. Others may be running tests too: filter by what you made. */
export function listMaps(): BpftoolMap[] {
  return bpftool<BpftoolMap[]>('map', 'show');
}

/** All programs of the machine. */
export function listPrograms(): BpftoolProgram[] {
  return bpftool<BpftoolProgram[]>('prog', 'show');
}

/** All links of the machine. */
export function listLinks(): BpftoolLink[] {
  return bpftool<BpftoolLink[]>('link', 'show');
}

/** The map pinned at `path`. */
export function pinnedMap(path: string): BpftoolMap {
  return bpftool<BpftoolMap>('map', 'show', 'pinned', path);
}

/** The program pinned at `path`. */
export function pinnedProgram(path: string): BpftoolProgram {
  return bpftool<BpftoolProgram>('prog', 'show', 'pinned', path);
}

/** Whether an object of this kind and id is alive now; frees are asynchronous, so wait with `until`. */
export function isAlive(kind: 'map' | 'prog' | 'link' | 'btf', id: number): boolean {
  return spawnSync('bpftool', ['-j', kind, 'show', 'id', String(id)], { stdio: 'ignore' }).status === 0;
}

/** Makes a map and pins it at `path`; the pin is its only holder. Parent directories must exist. */
export function createMap(path: string, spec: MapSpec = {}): BpftoolMap {
  const { type = 'hash', key = 4, value = 8, entries = 16, name = 'pf_map', flags = 0 } = spec;
  const sizes = ['key', key, 'value', value, 'entries', entries].map(String);
  execFileSync('bpftool', [
    'map',
    'create',
    path,
    'type',
    type,
    ...sizes,
    'name',
    name,
    'flags',
    String(flags),
  ]);
  return pinnedMap(path);
}

/** Pins an existing object once more, as `bpftool KIND pin id ID PATH` does. */
export function pinById(kind: 'map' | 'prog' | 'link', id: number, path: string): void {
  execFileSync('bpftool', [kind, 'pin', 'id', String(id), path]);
}

/** Writes one entry; key and value are bytes. */
export function updateEntry(mapPath: string, key: Uint8Array, value: Uint8Array): void {
  execFileSync('bpftool', ['map', 'update', 'pinned', mapPath, 'key', ...hex(key), 'value', ...hex(value)]);
}

/** Removes one entry; false where there was none. */
export function removeEntry(mapPath: string, key: Uint8Array): boolean {
  const run = spawnSync('bpftool', ['map', 'delete', 'pinned', mapPath, 'key', ...hex(key)], {
    encoding: 'utf8',
  });
  if (run.status === 0) return true;
  if (run.stderr.includes('No such file')) return false;
  throw new Error(`bpftool cannot remove the entry: ${run.stderr}`);
}

/** Reads one entry's value as bytes; undefined where the key is absent. */
export function lookupEntry(mapPath: string, key: Uint8Array): Uint8Array | undefined {
  const args = ['-j', 'map', 'lookup', 'pinned', mapPath, 'key', ...hex(key)];
  const run = spawnSync('bpftool', args, { encoding: 'utf8' });
  if (run.status !== 0) return undefined;
  const entry = JSON.parse(run.stdout) as { readonly value: readonly string[] };
  return Uint8Array.from(entry.value, (byte) => Number.parseInt(byte, 16));
}

function hex(bytes: Uint8Array): string[] {
  return ['hex', ...Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))];
}

/** What bpftool says of a map, but for its id and what goes with that one object. */
export function shownMap(id: number): Record<string, unknown> {
  const {
    id: _,
    pinned: __,
    pids: ___,
    btf_id: ____,
    ...rest
  } = bpftool<Record<string, unknown>>('map', 'show', 'id', String(id));
  return rest;
}
