/** What may be replaced while the process runs, such as a certificate before it ends. */
export interface Renewable<Value> {
  /** What is good now. */
  readonly now: Value;
  /** Has what comes later taken, each time; answers how to end that. */
  follow(take: (value: Value) => void): () => void;
}
