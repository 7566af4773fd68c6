/** How loud a log is, from quiet to talkative. */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
/** One of them: what is as loud, and all that is quieter, is written. */
export type LogLevel = (typeof logLevels)[number];

/** Facts beside a sentence, as members of one JSON line. Never a secret: no header, no token, no body. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where operators read what happened. A sentence and facts; nobody logs and throws. */
export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

/** The chain of an error's causes, outermost first, for a log line. */
export function describeError(thrown: unknown): readonly string[] {
  const chain: string[] = [];
  for (let at = thrown; at !== undefined && at !== null && chain.length < 8; at = causeOf(at)) {
    chain.push(at instanceof Error ? (at.stack ?? `${at.name}: ${at.message}`) : String(at));
  }
  return chain;
}

/** A log of JSON lines, one a call, each with `time`, `level` and `message`. */
export function createLog(sink: {
  readonly level: LogLevel;
  readonly write: (line: string) => void;
  readonly now: () => Date;
}): Log {
  const loudest = logLevels.indexOf(sink.level);
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (logLevels.indexOf(level) > loudest) return;
      sink.write(`${JSON.stringify({ time: sink.now().toISOString(), level, message, ...fields })}\n`);
    };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** The same log, in which what is only for information is for those who debug. */
export function quieter(log: Log): Log {
  return { ...log, info: log.debug };
}

function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error ? thrown.cause : undefined;
}
