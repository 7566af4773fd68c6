/** Lets everything that waits in the event loop have its turn; `value` is what it resolves with. */
export function turn<Value = undefined>(value?: Value): Promise<Value | undefined> {
  return new Promise((resolve) => setImmediate(resolve, value));
}

/** Rounds of the event loop, in which a stream has read what there is. */
export async function someRounds(): Promise<void> {
  for (let round = 0; round < 5; round += 1) await turn();
}
