import { createMap, updateElement } from '../bpf/create.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Fd, FdTable } from '../sys/fd.ts';

const BPF_MAP_TYPE_ARRAY = 2;

/** Offset of `id` in struct bpf_map_info, which may be read as far as that. */
const MAP_INFO_ID = 4;

/** One number that user space writes and the iterator programs read: which object is wanted. */
export class WantedCell implements Disposable {
  readonly mapId: number;
  readonly #map: Fd;
  #value = 0;

  /** @throws SystemCallError where maps may not be made */
  constructor(fds: FdTable) {
    const spec = {
      type: BPF_MAP_TYPE_ARRAY,
      name: 'pinfold_wanted',
      keySize: 4,
      valueSize: 4,
      maxEntries: 1,
    };
    this.#map = createMap(spec, { fds, lifetime: 'kernel' });
    this.mapId = objectInfo(this.#map, new Struct(8)).readUInt32LE(MAP_INFO_ID);
  }

  get mapFd(): number {
    return this.#map.number;
  }

  want(value: number): void {
    if (value === this.#value) return;
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    updateElement(this.#map, Buffer.alloc(4), bytes);
    this.#value = value;
  }

  [Symbol.dispose](): void {
    this.#map[Symbol.dispose]();
  }
}
