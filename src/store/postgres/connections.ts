/**
 * A few connections to Postgres, opened when they are needed. Every use is bounded in time; a connection that was silent for too
 * long, or whose answer was not read to its end, is closed and never used again. Nothing is prepared, so that a pooler may
 * hand every transaction to another server process.
 */
import { SQL } from "bun";
import { createLimiter } from "../../core/limiter.ts";
import { createWatchdog, type TimeLimits } from "../../net/watchdog.ts";
import { unreachable } from "../failures.ts";
import type { PostgresAddress } from "./address.ts";
import { type FailureContext, postgresFailure, sqlState } from "./failures.ts";
import type { PostgresTls } from "./tls.ts";

export interface ConnectionSettings {
  address: PostgresAddress;
  password: string | undefined;
  tls: PostgresTls;
  limits: TimeLimits;
  signal: AbortSignal | undefined;
}

/** What one use of a connection is given. */
export interface Connection {
  sql: SQL;
  /** A sign of life: to be called for every row or part that came or went. */
  touch(): void;
}

export interface Connections {
  /** Runs `work` on a connection that nobody else uses meanwhile. Failures are thrown as what `postgresFailure` makes of them. */
  use<T>(context: FailureContext, work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Ends all connections and what runs on them. */
  close(): Promise<void>;
}

const most = 8;
/** Seconds after which a connection that nobody uses is closed. */
const idleTimeout = 60;

export function createConnections(settings: ConnectionSettings): Connections {
  const limiter = createLimiter(most);
  const watchdog = createWatchdog(settings.limits, settings.signal);
  const all = new Set<SQL>();
  const idle: SQL[] = [];
  let closed = false;

  const open = (): SQL => {
    const sql = new SQL(urlOf(settings), optionsOf(settings));
    all.add(sql);
    return sql;
  };
  const discard = async (sql: SQL): Promise<void> => {
    all.delete(sql);
    await sql.close({ timeout: 0 }).catch(() => {});
  };

  async function attempt<T>(context: FailureContext, work: (connection: Connection) => Promise<T>): Promise<T> {
    settings.signal?.throwIfAborted();
    if (closed) throw unreachable(context.address, "was closed meanwhile");
    const sql = idle.pop() ?? open();
    const watch = watchdog.watch();
    const stopped = Promise.withResolvers<never>();
    stopped.promise.catch(() => {});
    watch.signal.addEventListener("abort", () => stopped.reject(new Error("stopped")), { once: true });
    const task = work({ sql, touch: watch.touch });
    task.catch(() => {});
    try {
      const result = await Promise.race([task, stopped.promise]);
      idle.push(sql);
      return result;
    } catch (error) {
      if (isUsable(error)) idle.push(sql);
      else void discard(sql);
      if (watch.stopped === "cancelled") settings.signal?.throwIfAborted();
      if (watch.stopped === "idle") throw unreachable(context.address, "was silent for too long");
      if (watch.stopped === "total") throw unreachable(context.address, "took too long for one answer");
      throw postgresFailure(error, context);
    } finally {
      watch.end();
    }
  }

  return {
    use: (context, work) => limiter.run(1, () => attempt(context, work)),
    async close() {
      closed = true;
      await Promise.all([...all].map(discard));
    },
  };
}

/** True after an error that the server told and that did not end the connection: there is nothing more to read. */
function isUsable(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && !/^(?:08|28|3D|53|57|58|XX)/.test(state);
}

/** Only the mode stands in the URL; all else is given as options, which no variable of the environment overrides. */
function urlOf({ tls }: ConnectionSettings): string {
  return `postgres://postgres.invalid/postgres?sslmode=${tls.mode}`;
}

function optionsOf({ address, password, tls, limits }: ConnectionSettings): Bun.SQL.Options {
  const { host, port, user, database } = address;
  const certificates = tls.cert === undefined || tls.key === undefined ? {} : { cert: tls.cert, key: tls.key };
  const verified = tls.mode === "verify-ca" || tls.mode === "verify-full";
  const options = verified
    ? { ...certificates, rejectUnauthorized: true, ...(tls.ca === undefined ? {} : { ca: tls.ca }) }
    : certificates;
  return {
    adapter: "postgres",
    ...(host.startsWith("/") ? { path: host } : { hostname: host }),
    port,
    username: user,
    password: password ?? "",
    database,
    ...(Object.keys(options).length === 0 ? {} : { tls: options }),
    channelBinding: tls.binding,
    connection: { application_name: "csp" },
    max: 1,
    prepare: false,
    idleTimeout,
    connectionTimeout: limits.idleMs / 1000,
  };
}
