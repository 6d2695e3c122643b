/** What is different where a pooler in transaction mode stands in front of Postgres. */
import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { retrying } from "../../../src/store/retrying.ts";
import { meets, testNeeding } from "../../support/needs.ts";
import { type Pgbouncer, startPgbouncer } from "../../support/servers/pgbouncer.ts";
import { type PostgresServer, startPostgres } from "../../support/servers/postgres.ts";
import { bytesOf, expectSame, listed, newKey, putNew } from "./objects.ts";
import { type Cleanups, cleanUp, errorOf, holdPart, openAt, waiter } from "./postgres-fixture.ts";

let server: PostgresServer;
let pooler: Pgbouncer;
const cleanups: Cleanups = [];

beforeAll(async () => {
  if (!meets("postgres") || !meets("pgbouncer")) return;
  server = await startPostgres();
  pooler = await startPgbouncer(server, { size: 2 });
}, 60_000);
afterEach(() => cleanUp(cleanups));
afterAll(async () => {
  await pooler?.stop();
  await server?.stop();
});

function poolerTest(name: string, body: () => Promise<void>): void {
  testNeeding(["postgres", "pgbouncer"], name, body, 30_000);
}

poolerTest("twelve clients that put and get at once share two sessions of the server", async () => {
  const database = server.createDatabase();
  const clients = await Promise.all(Array.from({ length: 12 }, () => openAt(cleanups, pooler.url(database))));
  await Promise.all(
    clients.map(async (client, index) => {
      const bytes = bytesOf(1_200_000, index);
      const keys = await Promise.all([putNew(client, bytes), putNew(client, bytes), putNew(client, bytes)]);
      for (const key of keys) expectSame(await client.blobs.get(key, { maxBytes: bytes.length }), bytes);
    }),
  );
  const [reader] = clients;
  expect(reader === undefined ? 0 : (await listed(reader)).size).toBe(36);
  expect(server.backends(database).length).toBeLessThanOrEqual(2);
});

poolerTest("a session that ends in the middle of a put leaves nothing, and the next put succeeds", async () => {
  const database = server.createDatabase();
  const store = await openAt(cleanups, pooler.url(database));
  await store.root.swap(undefined, "{}");
  const bytes = bytesOf(5 << 20, 1);
  const key = await newKey(store, bytes);
  const letGo = await holdPart(cleanups, server, { database, key, n: 3 });
  const put = errorOf(store.blobs.put(key, bytes));
  server.query(database, `select pg_terminate_backend(${await waiter(server, database)})`);
  expect((await put).code).toBe("CSP_STORE_UNREACHABLE");
  await letGo();
  const patient = retrying(store, { baseMs: 10 });
  expect(await listed(patient)).toEqual(new Map());
  await patient.blobs.put(key, bytes);
  expectSame(await patient.blobs.get(key, { maxBytes: bytes.length }), bytes);
});

poolerTest("a pooler's own refusals come with what to look at", async () => {
  const database = server.createDatabase();
  for (const url of [
    pooler.url("none_here"),
    pooler.url(database).replace(server.user, "nobody_here"),
    pooler.url(database).replace(/:[^:@]*@/, ":wr0ng@"),
  ]) {
    const error = await errorOf((await openAt(cleanups, url)).root.read());
    expect(error).toMatchObject({ code: "CSP_STORE_UNREACHABLE", hint: expect.stringContaining("the pooler knows") });
    expect(error.message + error.hint).not.toContain("wr0ng");
  }
});
