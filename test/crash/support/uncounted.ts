/**
 * The environment of a process that is going to be killed: what it covers would be counted, which takes a
 * fifth of its time, and never be written down.
 */
export const uncounted = { NODE_V8_COVERAGE: undefined } as const;
