/** Which credentials, places and certificates a store in Postgres takes. */
import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Store, StoreOptions } from "../../../src/store/store.ts";
import { meets } from "../../support/needs.ts";
import { freePort, type PostgresServer, startPostgres } from "../../support/servers/postgres.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { bytesOf, codeOf, listed, putNew } from "./objects.ts";
import { type Cleanups, cleanUp, errorOf, openAt, postgresTest, untilNobodyIsConnected } from "./postgres-fixture.ts";

let server: PostgresServer;
const cleanups: Cleanups = [];

beforeAll(async () => {
  if (meets("postgres")) server = await startPostgres({ tls: true });
}, 60_000);
afterEach(() => cleanUp(cleanups));
afterAll(() => server?.stop());

function open(url: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openAt(cleanups, url, options);
}

postgresTest("credentials, databases and servers that are not there", async () => {
  const database = server.createDatabase();
  const bare = server.url(database, { without: "password" });
  const home = makeTemp();
  cleanups.push(() => removeTree(home));
  const code = async (url: string, options: Partial<StoreOptions> = {}) =>
    await codeOf((await open(url, options)).root.read());
  expect(await code(bare, { env: { PGPASSWORD: server.password } })).toBe("no error");
  expect(await code(bare)).toBe("CSP_STORE_DENIED");
  const wrong = await errorOf((await open(bare, { env: { PGPASSWORD: "wr0ng" } })).root.read());
  expect(wrong.code).toBe("CSP_STORE_DENIED");
  expect(JSON.stringify([wrong.message, wrong.hint, wrong.data, String(wrong.cause)])).not.toContain("wr0ng");
  expect(await code(server.url(database, { user: "nobody_here" }))).toBe("CSP_STORE_DENIED");
  expect(await code(server.url("none_here"))).toBe("CSP_STORE_ADDRESS");
  expect(await code(`postgres://u@127.0.0.1:${freePort()}/d`)).toBe("CSP_STORE_UNREACHABLE");
  expect(await code(`postgres://u@/d?host=${home}`)).toBe("CSP_STORE_UNREACHABLE");
  expect(await code(`postgres://u@no-such-host.invalid/d`)).toBe("CSP_STORE_UNREACHABLE");

  const file = join(home, ".pgpass");
  const secret = server.password.replaceAll(":", "\\:");
  writeFileSync(file, `127.0.0.1:${server.port}:*:${server.user}:${secret}\n`, { mode: 0o600 });
  expect(await code(bare, { home })).toBe("no error");
  writeFileSync(join(home, "open"), `*:*:*:*:${secret}\n`, { mode: 0o644 });
  const unread = await errorOf((await open(bare, { env: { PGPASSFILE: join(home, "open") } })).root.read());
  expect(unread).toMatchObject({ code: "CSP_STORE_DENIED", hint: expect.stringContaining("chmod 600") });
});

postgresTest("through a unix socket, whatever the environment of the process says", async () => {
  const database = server.createDatabase();
  const url = `postgres://${server.user}@:${server.port}/${database}?host=${server.socket}&sslmode=verify-full`;
  const before = { ...process.env };
  Object.assign(process.env, {
    PGDATABASE: "other",
    PGHOST: "elsewhere.invalid",
    DATABASE_URL: "postgres://x@y.invalid/z",
  });
  cleanups.push(() => {
    for (const name of ["PGDATABASE", "PGHOST", "DATABASE_URL"]) delete process.env[name];
    Object.assign(process.env, before);
  });
  const store = await open(url, { env: { PGPASSWORD: server.password } });
  const key = await putNew(store, bytesOf(100, 1));
  expect((await listed(await open(server.url(database)))).get(key)).toBe(100);
});

postgresTest("TLS: what each mode accepts", async () => {
  const database = server.createDatabase();
  const home = makeTemp();
  cleanups.push(() => removeTree(home));
  const outcome = async (host: string, query: string, env: Record<string, string> = {}) => {
    const store = await open(`${server.url(database, { host })}?${query}`, { home, env });
    return await codeOf(store.root.read());
  };
  const ca = `sslrootcert=${server.ca}`;
  expect(await outcome("localhost", `sslmode=verify-full&${ca}`)).toBe("no error");
  expect(await outcome("127.0.0.1", `sslmode=verify-full&${ca}`)).toBe("CSP_STORE_UNREACHABLE");
  expect(await outcome("127.0.0.1", `sslmode=verify-ca&${ca}`)).toBe("no error");
  expect(await outcome("127.0.0.1", `sslmode=require&${ca}`)).toBe("no error");
  expect(await outcome("localhost", "sslmode=verify-full")).toBe("CSP_STORE_UNREACHABLE");
  expect(await outcome("localhost", "sslmode=verify-ca")).toBe("CSP_STORE_UNREACHABLE");
  expect(await outcome("127.0.0.1", "sslmode=require")).toBe("no error");
  expect(await outcome("127.0.0.1", "sslmode=require", { PGCHANNELBINDING: "require" })).toBe("no error");
  expect(await outcome("127.0.0.1", "sslmode=disable", { PGCHANNELBINDING: "require" })).toBe("CSP_STORE_DENIED");
  expect(await outcome("127.0.0.1", "", { PGSSLMODE: "verify-full" })).toBe("CSP_STORE_UNREACHABLE");
  // The environment of the process must not turn verification off.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  cleanups.push(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED);
  expect(await outcome("localhost", "sslmode=verify-full")).toBe("CSP_STORE_UNREACHABLE");
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;

  const used = async (query: string) => {
    const store = await open(`${server.url(database)}?${query}`);
    await store.root.read();
    const sessions =
      "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'csp'";
    const answer = server.query(database, sessions);
    await store.close();
    return answer;
  };
  await cleanUp(cleanups);
  await untilNobodyIsConnected(server, database);
  expect(await used("")).toBe("t");
  await cleanUp(cleanups);
  await untilNobodyIsConnected(server, database);
  expect(await used("sslmode=disable")).toBe("f");
});

postgresTest("a server without TLS is not talked to where TLS is wanted", async () => {
  const plain = await startPostgres();
  cleanups.push(() => plain.stop());
  const database = plain.createDatabase();
  const store = await open(`${plain.url(database)}?sslmode=require`);
  expect(await errorOf(store.root.read())).toMatchObject({
    code: "CSP_STORE_UNREACHABLE",
    message: expect.stringContaining("does not speak TLS"),
  });
  expect(await (await open(plain.url(database))).root.read()).toBeUndefined();
});
