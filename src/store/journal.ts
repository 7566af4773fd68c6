import assert from 'node:assert/strict';
import type { OperationDocument, OperationKind, Outcome } from '../model/schema/operation.ts';
import type { Intent, Journal } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';
import { parseJson, parseRecord, parseTextList } from './json.ts';

interface OpenRow {
  readonly id: string;
  readonly kind: OperationKind;
  readonly boot_id: string;
  readonly instance: string;
  readonly started_at: string;
  readonly actor: string;
  readonly request_id: string | null;
  readonly subject: string;
  readonly accepted: string;
  readonly plan: string;
}

interface OperationRow extends OpenRow {
  readonly outcome: Outcome;
  readonly settled_at: string | null;
  readonly detail: string | null;
}

/** Intents and outcomes in the table `operation`. A settled row keeps no plan: only recovery needs one. */
export class SqliteJournal implements Journal {
  readonly #begin: Statement;
  readonly #amend: Statement;
  readonly #settle: Statement;
  readonly #listOpen: Statement<OpenRow>;
  readonly #find: Statement<OperationRow>;

  constructor(connection: Connection) {
    this.#begin = connection.prepare(`
      INSERT INTO operation (id, kind, outcome, boot_id, instance, started_at, actor, request_id,
        subject, accepted, plan)
      VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#amend = connection.prepare(`UPDATE operation SET plan = ? WHERE id = ? AND outcome = 'running'`);
    this.#settle = connection.prepare(`
      UPDATE operation SET outcome = ?, settled_at = ?, detail = ?, plan = NULL
      WHERE id = ? AND outcome = 'running'`);
    this.#listOpen = connection.prepare(`SELECT * FROM operation WHERE outcome = 'running' ORDER BY seq`);
    this.#find = connection.prepare('SELECT * FROM operation WHERE id = ?');
  }

  begin(intent: Intent): void {
    this.#begin.run(
      intent.operationId,
      intent.kind,
      intent.bootId,
      intent.instance,
      intent.startedAt,
      intent.actor,
      intent.requestId,
      JSON.stringify(intent.subject),
      JSON.stringify(intent.accepted),
      planText(intent.plan),
    );
  }

  amend(operationId: string, plan: unknown): void {
    const changed = this.#amend.run(planText(plan), operationId);
    assert.equal(changed, 1, `operation ${operationId} is not open`);
  }

  settle(operationId: string, outcome: Exclude<Outcome, 'running'>, at: string, detail: string | null): void {
    const changed = this.#settle.run(outcome, at, detail, operationId);
    assert.equal(changed, 1, `operation ${operationId} is not open`);
  }

  listOpen(): readonly Intent[] {
    return this.#listOpen.all().map((row) => ({
      operationId: row.id,
      kind: row.kind,
      bootId: row.boot_id,
      instance: row.instance,
      startedAt: row.started_at,
      actor: row.actor,
      requestId: row.request_id,
      subject: parseRecord(row.subject),
      accepted: parseTextList(row.accepted),
      plan: parseJson(row.plan),
    }));
  }

  find(operationId: string): OperationDocument | undefined {
    const row = this.#find.get(operationId);
    if (row === undefined) return undefined;
    return {
      id: row.id,
      kind: row.kind,
      outcome: row.outcome,
      started_at: row.started_at,
      settled_at: row.settled_at,
      actor: row.actor,
      request_id: row.request_id,
      subject: parseRecord(row.subject),
      accepted: [...parseTextList(row.accepted)],
      detail: row.detail,
    };
  }
}

function planText(plan: unknown): string {
  const text = JSON.stringify(plan);
  assert(text !== undefined, 'the plan of an intent is JSON');
  return text;
}
