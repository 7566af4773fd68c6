/** Something a person has to see to; the message is one sentence that says what is wrong and what to do. */
export class Problem extends Error {}

/** Tells what is being done, because it may take minutes. */
export function say(sentence) {
  process.stderr.write(`pinfold: ${sentence}\n`);
}
