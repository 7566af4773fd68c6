import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../src/model/clock.ts';
import type { NewEvent } from '../../src/model/schema/event.ts';
import type { Intent, PinRecord, Store } from '../../src/model/store.ts';
import { openStore, type StoreOptions } from '../../src/store/open-store.ts';

/** A clock that stands still until a test moves it. */
export interface TestClock extends Clock {
  /** Sets the clock of the day, and nothing else. */
  set(time: string): void;
  /** Lets time pass on all clocks. */
  pass(ms: number): void;
}

/** Makes a clock that says `time`. */
export function testClock(time = '2026-11-23T10:00:00.000Z'): TestClock {
  let now = new Date(time);
  let sinceBootMs = 60_000;
  return {
    now: () => now,
    monotonicMs: () => performance.now(),
    bootMs: () => sinceBootMs,
    set: (later) => {
      now = new Date(later);
    },
    pass: (ms) => {
      now = new Date(now.getTime() + ms);
      sinceBootMs += ms;
    },
  };
}

/** The boot every test store is opened in unless told. */
export const testBoot = 'b0a7a1d2-5c2e-4f7b-9d6e-000000000001';

/** Opens a store of the test's own. */
export function openTestStore(stateDir: string, options: Partial<StoreOptions> = {}): Store {
  return openStore({
    stateDir,
    node: 'node-1',
    bootId: testBoot,
    clock: testClock(),
    retentionMs: 30 * 24 * 3600 * 1000,
    retentionBytes: 1024 ** 3,
    ...options,
  });
}

/** The database file of a state directory. */
export function databaseOf(stateDir: string): string {
  return join(stateDir, 'pinfold.db');
}

/**
 * What the `sqlite3` command line says, one line a row: the judge of what is really in the file.
 *
 * It is a process of its own: a test that opened a live database with node:fs would drop the store's record
 * locks.
 */
export function sqlite3(file: string, sql: string): string {
  return execFileSync('sqlite3', [file, sql], { encoding: 'utf8' }).trimEnd();
}

/** The same, parsed from sqlite3's JSON mode. */
export function sqlite3Rows(file: string, sql: string): readonly Record<string, unknown>[] {
  const text = execFileSync('sqlite3', ['-json', file, sql], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  return text.trim() === '' ? [] : JSON.parse(text);
}

/**
 * A hash of a database and its log, for "was left as it was"; only while no store has them open in this
 * process. An empty log is none: any reader makes one.
 */
export function hashOf(stateDir: string): string {
  const hash = createHash('sha256');
  for (const suffix of ['', '-wal']) {
    const file = `${databaseOf(stateDir)}${suffix}`;
    hash.update(existsSync(file) ? readFileSync(file) : '');
  }
  return hash.digest('hex');
}

/** Copies the files of a database that may be open, as `cp` does it. */
export function copyDatabase(fromDir: string, toDir: string): void {
  for (const suffix of ['', '-wal']) {
    const file = `${databaseOf(fromDir)}${suffix}`;
    if (existsSync(file)) execFileSync('cp', [file, toDir]);
  }
}

/** An intent that differs from others by its id. */
export function intentOf(operationId: string, fields: Partial<Intent> = {}): Intent {
  return {
    operationId,
    kind: 'pin',
    bootId: testBoot,
    instance: 'instance-1',
    startedAt: '2026-11-23T10:00:00.000Z',
    actor: 'uid:0 pid:1 comm:test',
    requestId: null,
    subject: { mount: '0:39', path: 'tc/globals/map' },
    accepted: [],
    plan: { name: operationId },
    ...fields,
  };
}

/** A pin that was just seen. */
export function pinOf(fields: Partial<PinRecord> = {}): PinRecord {
  return {
    instance: 'instance-1',
    inode: 100,
    mtimeNs: '1795428000000000001',
    mount: '0:39',
    path: 'tc/globals/map',
    kind: 'map',
    objectId: 5,
    fingerprint: 'f1',
    mode: '0600',
    uid: 0,
    gid: 0,
    firstSeen: '2026-11-23T10:00:00.000Z',
    lastSeen: '2026-11-23T10:00:00.000Z',
    goneAt: null,
    labels: {},
    owner: null,
    managed: false,
    ...fields,
  };
}

/** An event about a pin. */
export function eventOf(fields: Partial<NewEvent> = {}): NewEvent {
  return {
    time: '2026-11-23T10:00:00.000Z',
    type: 'pin.created',
    subject: { mount: '0:39', path: 'tc/globals/map', kind: 'map', id: 5, type: 'hash', name: 'map' },
    before: null,
    after: { id: 5 },
    actor: 'unknown',
    ...fields,
  };
}
