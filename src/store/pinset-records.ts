import type {
  AppliedPinSet,
  AsidePin,
  MadeIdentity,
  MadePin,
  MapCopyRecord,
  PinSetRecords,
} from '../model/cluster/pinset/records.ts';
import { bytesOf } from '../model/path.ts';
import type { PinSet } from '../model/schema/pinset.ts';
import type { Connection, Statement } from './connection.ts';
import { parseJson } from './json.ts';

interface AppliedRow {
  readonly name: string;
  readonly generation: number;
  readonly spec: string;
  readonly state: AppliedPinSet['state'];
  readonly applied_at: string;
}

interface MadeRow {
  readonly name: string;
  readonly path: Uint8Array;
  readonly identity: string | null;
}

interface AsideRow extends Omit<AsidePin, 'path' | 'bootId' | 'objectId'> {
  readonly path: Uint8Array;
  readonly boot_id: string;
  readonly object_id: number;
}

interface CopyRow extends Omit<MapCopyRecord, 'path' | 'bootId'> {
  readonly path: Uint8Array;
  readonly boot_id: string;
}

/** Pin sets in the tables `pinset`, `pinset_made`, `pinset_aside` and `pinset_copy`. */
export class SqlitePinSetRecords implements PinSetRecords {
  readonly #connection: Connection;
  readonly #list: Statement<AppliedRow>;
  readonly #find: Statement<AppliedRow>;
  readonly #put: Statement;
  readonly #listMade: Statement<MadeRow>;
  readonly #putMade: Statement;
  readonly #removeMade: Statement;
  readonly #listAside: Statement<AsideRow>;
  readonly #putAside: Statement;
  readonly #removeAside: Statement;
  readonly #listCopies: Statement<CopyRow>;
  readonly #putCopy: Statement;
  readonly #removeCopy: Statement;
  readonly #forget: readonly Statement[];

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#list = connection.prepare('SELECT * FROM pinset ORDER BY name');
    this.#find = connection.prepare('SELECT * FROM pinset WHERE name = ?');
    this.#put = connection.prepare(`
      INSERT INTO pinset (name, generation, spec, state, applied_at) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (name) DO UPDATE SET generation = excluded.generation, spec = excluded.spec,
        state = excluded.state, applied_at = excluded.applied_at
      WHERE excluded.generation >= generation`);
    this.#listMade = connection.prepare('SELECT * FROM pinset_made WHERE name = ? ORDER BY path');
    this.#putMade = connection.prepare(
      'INSERT OR REPLACE INTO pinset_made (name, path, identity) VALUES (?, ?, ?)',
    );
    this.#removeMade = connection.prepare('DELETE FROM pinset_made WHERE name = ? AND path = ?');
    this.#listAside = connection.prepare('SELECT * FROM pinset_aside ORDER BY slot');
    this.#putAside = connection.prepare(`
      INSERT OR REPLACE INTO pinset_aside
        (slot, pinset, path, role, boot_id, instance, mount, kind, object_id, fingerprint)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#removeAside = connection.prepare('DELETE FROM pinset_aside WHERE slot = ?');
    this.#listCopies = connection.prepare('SELECT * FROM pinset_copy ORDER BY pinset, path');
    this.#putCopy = connection.prepare(
      'INSERT OR REPLACE INTO pinset_copy (pinset, path, boot_id, phase) VALUES (?, ?, ?, ?)',
    );
    this.#removeCopy = connection.prepare('DELETE FROM pinset_copy WHERE pinset = ? AND path = ?');
    this.#forget = [
      connection.prepare('DELETE FROM pinset_aside WHERE boot_id <> ?'),
      connection.prepare('DELETE FROM pinset_copy WHERE boot_id <> ?'),
      connection.prepare(`DELETE FROM pinset_made WHERE identity ->> '$.instance' NOT LIKE ? || '/%'`),
    ];
  }

  list(): readonly AppliedPinSet[] {
    return this.#list.all().map(appliedOf);
  }

  find(name: string): AppliedPinSet | undefined {
    const row = this.#find.get(name);
    return row === undefined ? undefined : appliedOf(row);
  }

  put({ name, generation, spec, state, appliedAt }: AppliedPinSet): boolean {
    return this.#put.run(name, generation, JSON.stringify(spec), state, appliedAt) > 0;
  }

  listMade(name: string): readonly MadePin[] {
    return this.#listMade.all(name).map((row) => ({
      name: row.name,
      path: pathOf(row.path),
      identity: row.identity === null ? undefined : readIdentity(row.identity),
    }));
  }

  putMade({ name, path, identity }: MadePin): void {
    this.#putMade.run(name, bytesOf(path), identity === undefined ? null : JSON.stringify(identity));
  }

  removeMade(name: string, path: string): void {
    this.#removeMade.run(name, bytesOf(path));
  }

  listAside(): readonly AsidePin[] {
    return this.#listAside.all().map(({ path, boot_id: bootId, object_id: objectId, ...row }) => ({
      ...row,
      path: pathOf(path),
      bootId,
      objectId,
    }));
  }

  putAside(pin: AsidePin): void {
    const { slot, pinset, path, role, bootId, instance, mount, kind, objectId, fingerprint } = pin;
    const where = [slot, pinset, bytesOf(path), role, bootId, instance, mount];
    this.#putAside.run(...where, kind, objectId, fingerprint);
  }

  removeAside(slot: string): void {
    this.#removeAside.run(slot);
  }

  listCopies(): readonly MapCopyRecord[] {
    return this.#listCopies.all().map(({ path, boot_id: bootId, ...row }) => ({
      ...row,
      path: pathOf(path),
      bootId,
    }));
  }

  putCopy({ pinset, path, bootId, phase }: MapCopyRecord): void {
    this.#putCopy.run(pinset, bytesOf(path), bootId, phase);
  }

  removeCopy(pinset: string, path: string): void {
    this.#removeCopy.run(pinset, bytesOf(path));
  }

  forgetOtherBoots(bootId: string): void {
    this.#connection.transaction(() => {
      for (const statement of this.#forget) statement.run(bootId);
    });
  }
}

function appliedOf({ name, generation, spec, state, applied_at }: AppliedRow): AppliedPinSet {
  return { name, generation, spec: readSpec(spec), state, appliedAt: applied_at };
}

function pathOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** Only what was checked when it was applied is ever stored. */
function readSpec(text: string): PinSet {
  return parseJson(text) as PinSet;
}

function readIdentity(text: string): MadeIdentity {
  return parseJson(text) as MadeIdentity;
}
