import { setTimeout as wait } from 'node:timers/promises';
import { isClientError, isOutOfReach } from '../../client/client-error.ts';
import type { PinSetOnNode, PinSetStatus } from '../../client/documents.ts';
import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { limits } from '../../model/limits.ts';
import type { Cli } from '../cli.ts';
import { wantsDocument } from '../print-rows.ts';

/** Between two looks. */
const everyMs = 500;

/** What is followed, and for how long. */
export interface Following {
  /** What was put just now: what a manager says of an older generation is no end of it. */
  readonly generation?: number;
  /** All the time there is; without it as long as something moves. */
  readonly withinMs?: number;
}

/** How following ended. */
export type Ending = 'done' | 'paused' | 'timed_out';

/** A whole status: its pages put together. @throws ClientError */
export async function readStatus({ api }: PinfoldClient, name: string): Promise<PinSetStatus> {
  const params = { path: { name } };
  const limit = limits.pageItemsMax;
  const path = '/v1/cluster/pinsets/{name}/status';
  let whole = await readData(api.GET(path, { params: { ...params, query: { limit } } }));
  while (whole.next_cursor !== null) {
    const query = { limit, cursor: whole.next_cursor };
    const page = await readData(api.GET(path, { params: { ...params, query } }));
    whole = { ...whole, items: [...whole.items, ...page.items], next_cursor: page.next_cursor };
  }
  return whole;
}

/**
 * Whether it has come to an end: the rollout of the newest generation is done, or is paused. What was deleted
 * is done when no node has anything of it, and waits for a person where one may not let go.
 */
export function endingOf({ generation, rollout, deleted, items }: PinSetStatus): Ending | undefined {
  if (rollout === null || rollout.generation !== generation) return undefined;
  if (deleted !== true) return rollout.state === 'progressing' ? undefined : rollout.state;
  if (items.length === 0) return 'done';
  return items.some(({ state }) => state === 'drifted' || state === 'failed') ? 'paused' : undefined;
}

/** `edge-acl generation 3: 2 of 5 nodes done, 1 failed; paused: …` Printable. */
export function sentenceOf({ name, generation, nodes, nobody, rollout, deleted }: PinSetStatus): string {
  const { total, done } = nodes;
  const of = `${total} ${total === 1 ? 'node' : 'nodes'}`;
  const counts = [
    deleted === true
      ? total === 0
        ? 'no node has anything of it'
        : `${of} with something of it`
      : `${done} of ${of} done`,
    ...(['drifted', 'failed', 'unreachable'] as const).flatMap((state) =>
      nodes[state] === 0 ? [] : [`${nodes[state]} ${state}`],
    ),
  ];
  if (deleted === true) return escapeText(`${name} was deleted: ${counts.join(', ')}`);
  const isNow = rollout?.generation === generation;
  const state = isNow ? rollout.state : 'not begun';
  const reason = nobody ?? (isNow ? rollout.reason : undefined);
  const why = reason === undefined ? '' : `: ${reason}`;
  return escapeText(`${name} generation ${generation}: ${counts.join(', ')}; ${state}${why}`);
}

/**
 * Tells each step of a rollout until it is done or paused. An agent that restarts is waited for; where
 * nothing moves for as long as --timeout says, that is the end, too. Where a document is wanted of the
 * command, the steps are told on standard error.
 *
 * @throws ClientError
 */
export async function followRollout(cli: Cli, name: string, following: Following = {}): Promise<Ending> {
  const client = await cli.client();
  const { timeoutMs } = cli.globals();
  const { generation = 0, withinMs } = following;
  const beganMs = performance.now();
  let movedMs = beganMs;
  let told: PinSetStatus | undefined;
  for (;;) {
    const status = await lookAgain(client, name, told === undefined);
    if (status !== undefined && stepsOf(status).join() !== (told === undefined ? '' : stepsOf(told).join())) {
      await tellSteps(cli, told, status);
      told = status;
      movedMs = performance.now();
    }
    const ending = status === undefined || status.generation < generation ? undefined : endingOf(status);
    if (ending !== undefined) return ending;
    const nowMs = performance.now();
    const isOver = withinMs === undefined ? nowMs - movedMs > timeoutMs : nowMs - beganMs > withinMs;
    if (isOver) return 'timed_out';
    await wait(everyMs);
  }
}

async function lookAgain(
  client: PinfoldClient,
  name: string,
  isFirst: boolean,
): Promise<PinSetStatus | undefined> {
  try {
    return await readStatus(client, name);
  } catch (error) {
    const isPassing = isOutOfReach(error) || isClientError(error, 'cluster_unavailable');
    if (isPassing && !isFirst) return undefined;
    throw error;
  }
}

async function tellSteps(cli: Cli, before: PinSetStatus | undefined, now: PinSetStatus): Promise<void> {
  const out = wantsDocument(cli) ? cli.err : cli.out;
  const known = new Map(before?.items.map((item) => [item.node, partOf(item)]));
  for (const item of now.items) {
    if (item.rollout === 'waiting' || item.rollout === 'left_out') continue;
    if (known.get(item.node) === partOf(item)) continue;
    const why = item.rollout === 'failed' && item.detail !== undefined ? `: ${item.detail}` : '';
    await out.line(`  ${escapeText(`${item.node} ${partOf(item)}${why}`)}`);
  }
  await out.line(sentenceOf(now));
  await out.flush();
}

/** All that is worth telling, to compare. */
function stepsOf(status: PinSetStatus): readonly string[] {
  return [sentenceOf(status), ...status.items.map((item) => `${item.node} ${partOf(item)}`)];
}

/** How a node stands, in a word or two. */
export function partOf({ rollout, state }: PinSetOnNode): string {
  if (rollout === 'left_out') return state;
  return state === 'unreachable' ? `${rollout}, unreachable` : rollout;
}
