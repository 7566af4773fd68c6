import type { IKeyValue, IRangeRequest, IResponseHeader } from 'etcd3';
import { askAgain } from './client.ts';
import { parseRevision } from './convert.ts';
import type { Members } from './members.ts';

/** A range of keys, from a revision on. */
export interface Watched {
  readonly key: Buffer;
  readonly end: Buffer;
  readonly fromRevision: number;
}

/** A question about the past, and what etcd said to it. */
interface Testimony {
  readonly question: IRangeRequest;
  readonly answer: string;
}

/**
 * Tells whether the store that is asked now is the one that was asked before.
 *
 * One that was restored from a backup may have the same cluster id (it follows from the token and the peers'
 * addresses), and may have gone past the revision that was told last before it is heard again. So all that
 * never goes back is compared, the revision and the term of raft as a read with a quorum gives them, and then
 * what the store says of the past: the last change that was told, or what was listed.
 */
export class Witness {
  readonly #members: Members;
  readonly #watched: Watched;
  #cluster: string | undefined;
  #revision: number;
  #term = 0;
  #past: readonly Testimony[] | undefined;

  constructor(members: Members, watched: Watched) {
    this.#members = members;
    this.#watched = watched;
    this.#revision = watched.fromRevision - 1;
  }

  /** The newest revision that was heard of. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Reads with a quorum. Answers whether this may be another store.
   *
   * @throws PinfoldError cluster_unavailable
   */
  async isOther(): Promise<boolean> {
    const { header } = await askAgain(this.#members, ({ kv }, call) =>
      kv.range({ key: this.#watched.key }, call),
    );
    const term = Number(header.raft_term);
    const isBack = parseRevision(header.revision) < this.#revision || term < this.#term;
    if (isBack || !this.isOf(header)) return true;
    this.#term = term;
    this.#revision = parseRevision(header.revision);
    if (this.#past === undefined) {
      this.#past = await this.#remember();
      return this.#past === undefined;
    }
    for (const { question, answer } of this.#past) {
      if ((await this.#ask(question)) !== answer) return true;
    }
    return false;
  }

  /** Whether an answer is of the cluster that was asked first. */
  isOf({ cluster_id }: IResponseHeader): boolean {
    this.#cluster ??= cluster_id;
    return cluster_id === this.#cluster;
  }

  /** What was told last: a later store that says otherwise of it is another. */
  saw({ key, value, mod_revision }: IKeyValue, isDelete: boolean): void {
    const revision = parseRevision(mod_revision);
    this.#revision = Math.max(this.#revision, revision);
    const then = {
      question: { key, revision },
      answer: isDelete ? 'none' : wordsOf({ value, mod_revision }),
    };
    // A key that was there and is not any more was deleted by just this revision.
    const before = { question: { key, revision: revision - 1, count_only: true }, answer: '1' };
    this.#past = isDelete ? [before, then] : [then];
  }

  /** How many keys were listed, and the newest; undefined where etcd has forgotten it. */
  async #remember(): Promise<readonly Testimony[] | undefined> {
    const { key, end: range_end, fromRevision } = this.#watched;
    const revision = fromRevision - 1;
    if (revision < 1) return [];
    const place = { key, range_end, revision };
    const questions: readonly IRangeRequest[] = [
      { ...place, count_only: true },
      { ...place, limit: 1, sort_order: 'Descend', sort_target: 'Mod' },
    ];
    const past: Testimony[] = [];
    for (const question of questions) {
      const answer = await this.#ask(question);
      if (answer === forgotten) return undefined;
      past.push({ question, answer });
    }
    return past;
  }

  async #ask(question: IRangeRequest): Promise<string> {
    return await askAgain(this.#members, async ({ kv }, call) => {
      try {
        const { kvs, count } = await kv.range(question, call);
        const [found] = kvs;
        if (question.count_only === true) return count;
        return found === undefined ? 'none' : wordsOf(found);
      } catch (error) {
        if (error instanceof Error && /revision has been compacted/.test(error.message)) return forgotten;
        throw error;
      }
    });
  }
}

const forgotten = 'forgotten';

function wordsOf({ value, mod_revision }: Pick<IKeyValue, 'value' | 'mod_revision'>): string {
  return `${mod_revision} ${value.toString('base64')}`;
}
