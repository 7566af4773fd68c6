/**
 * Lets the thread sleep, and others have the processor: for waits inside a critical section, which must not
 * give the event loop away. Some 50 microseconds longer than asked for (timer slack, prctl(2)).
 */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
