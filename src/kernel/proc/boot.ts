import { readFileSync } from 'node:fs';
import { check } from '../sys/calls.ts';
import { raw } from '../sys/prototypes.ts';

/**
 * CLOCK_BOOTTIME of include/uapi/linux/time.h: since boot, suspended time included, as programs' load times
 * are.
 */
const CLOCK_BOOTTIME = 7;

/** A UUID the kernel draws at every boot. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

/**
 * The time of day at which this machine booted, in milliseconds since 1970.
 *
 * The clock of the day is corrected now and then and the other is not, so this is asked once and kept: a load
 * time told twice must not differ.
 */
export function readBootTimeMs(): number {
  return Date.now() - readSinceBootMs();
}

/**
 * Milliseconds since boot, from the kernel itself: /proc/uptime, which os.uptime() reads, is another clock in
 * containers whose runtime replaces that file. struct timespec is two 64-bit numbers.
 */
export function readSinceBootMs(): number {
  const time = Buffer.alloc(16);
  check('clock_gettime', raw.clock_gettime(CLOCK_BOOTTIME, time));
  return Number(time.readBigInt64LE(0)) * 1000 + Number(time.readBigInt64LE(8)) / 1e6;
}
