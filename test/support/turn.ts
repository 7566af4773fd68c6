/** Lets everything that waits in the event loop have its turn; `value` is what it resolves with. */
export function turn<Value = undefined>(value?: Value): Promise<Value | undefined> {
  return new Promise((resolve) => setImmediate(resolve, value));
}
