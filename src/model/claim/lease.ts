/**
 * A moment as CLOCK_BOOTTIME tells it: it goes on while the machine sleeps, nobody can set it, and it begins
 * anew with every boot. Whole milliseconds.
 */
export interface BootMoment {
  readonly bootId: string;
  readonly ms: number;
}

/**
 * For how long a claim stands without being renewed, and the moment at which that is over.
 *
 * The time of day is no part of it: whichever way somebody sets the clock, a lease neither ends early nor
 * lives on. Time in which no agent runs counts.
 */
export interface Lease {
  readonly leaseMs: number;
  readonly deadline: BootMoment;
}

/** A lease that begins now. */
export function beginLease(leaseMs: number, now: BootMoment): Lease {
  return { leaseMs, deadline: { bootId: now.bootId, ms: now.ms + leaseMs } };
}

/**
 * How often an owner should renew: two of three renewals may go astray. It is also the grace that a restarted
 * agent gives, in which everybody who renews as often as that comes by once.
 */
export function renewalIntervalMs(leaseMs: number): number {
  return Math.ceil(leaseMs / 3);
}

/**
 * A lease as an agent that starts now takes it over: nobody could renew while there was no agent, so whatever
 * the deadline was, one renewal interval is left.
 *
 * In another boot than its own the deadline means nothing, and how long the machine was off is not known by
 * any clock that can be trusted: the lease begins anew. A deadline further ahead than the whole lease comes
 * from a clock that was moved (a time namespace), and is cut to it.
 */
export function resumeLease({ leaseMs, deadline }: Lease, start: BootMoment): Lease {
  if (deadline.bootId !== start.bootId) return beginLease(leaseMs, start);
  const latest = start.ms + leaseMs;
  const earliest = start.ms + renewalIntervalMs(leaseMs);
  return { leaseMs, deadline: { ...deadline, ms: Math.min(latest, Math.max(earliest, deadline.ms)) } };
}

/** What is left of a lease that was begun or resumed in this boot; 0 when it is over. */
export function remainingMs({ deadline }: Lease, now: BootMoment): number {
  return Math.max(0, deadline.ms - now.ms);
}
