/** What the tests of a store in Postgres share. */
import type { CspError } from "../../../src/core/errors.ts";
import { openPostgresStore } from "../../../src/store/postgres.ts";
import type { Store, StoreOptions } from "../../../src/store/store.ts";
import { testNeeding } from "../../support/needs.ts";
import type { PostgresServer } from "../../support/servers/postgres.ts";

/** Things to undo after a test, the last first. */
export type Cleanups = (() => unknown)[];

export async function cleanUp(cleanups: Cleanups): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** A test that is skipped where no Postgres is installed. */
export function postgresTest(name: string, body: () => Promise<void>): void {
  testNeeding(["postgres"], name, body, 30_000);
}

/** A client without an environment of its own, closed after the test. */
export async function openAt(cleanups: Cleanups, url: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  const store = await openPostgresStore(url, { env: {}, home: undefined, userAgent: "csp-test", ...options });
  cleanups.push(() => store.close());
  return store;
}

/**
 * A session that has put part `n` of an object and not committed: whoever puts the same part waits for it. Gives what takes it
 * back.
 */
export async function holdPart(
  cleanups: Cleanups,
  server: PostgresServer,
  { database, key, n }: { database: string; key: string; n: number },
): Promise<() => Promise<void>> {
  const session = new Bun.SQL(`${server.url(database)}?sslmode=disable`, { max: 1 });
  cleanups.push(() => session.close({ timeout: 0 }));
  await session.unsafe("begin");
  await session.unsafe("insert into csp.blob values ($1, $2, 1, 'x')", [key, n]);
  return async () => {
    await session.unsafe("rollback");
  };
}

/** The first server process that waits for a lock, once there is one. */
export async function waiter(server: PostgresServer, database: string): Promise<number> {
  const query = `select min(pid) from pg_stat_activity where datname = '${database}' and wait_event_type = 'Lock'`;
  return Number(await until(() => server.query(database, query) || undefined));
}

/** Until no client is connected to a database. */
export async function untilNobodyIsConnected(server: PostgresServer, database: string): Promise<void> {
  await until(() => (server.backends(database).length === 0 ? true : undefined));
}

async function until<T>(look: () => T | undefined): Promise<T> {
  const end = performance.now() + 10_000;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error("it does not happen");
    await Bun.sleep(10);
  }
}

/** The error that an attempt must end with. */
export async function errorOf(attempt: Promise<unknown>): Promise<CspError> {
  const outcome = await attempt.then(
    () => new Error("it succeeded"),
    (error: unknown) => error,
  );
  return outcome as CspError;
}
