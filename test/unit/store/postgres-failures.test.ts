/** What a store in Postgres says when the server, the connection or the credentials fail, and that it ends. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { CspError } from "../../../src/core/errors.ts";
import { parsePostgresAddress } from "../../../src/store/postgres/address.ts";
import { postgresFailure } from "../../../src/store/postgres/failures.ts";
import { retrying } from "../../../src/store/retrying.ts";
import type { Store, StoreOptions } from "../../../src/store/store.ts";
import { meets } from "../../support/needs.ts";
import { type PostgresServer, startPostgres } from "../../support/servers/postgres.ts";
import { bytesOf, codeOf, expectSame, listed, newKey, putNew } from "./objects.ts";
import {
  type Cleanups,
  cleanUp,
  errorOf,
  holdPart,
  openAt,
  postgresTest,
  untilNobodyIsConnected,
  waiter,
} from "./postgres-fixture.ts";

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

postgresTest("a server process that is killed in the middle of a put leaves nothing", async () => {
  const own = await startPostgres();
  cleanups.push(() => own.stop());
  const database = own.createDatabase();
  const store = await open(own.url(database));
  await store.root.swap(undefined, "{}");
  const bytes = bytesOf(5 << 20, 1);
  const key = await newKey(store, bytes);
  await holdPart(cleanups, own, { database, key, n: 3 });
  const put = errorOf(store.blobs.put(key, bytes));
  process.kill(await waiter(own, database), "SIGKILL");
  expect((await put).code).toBe("CSP_STORE_UNREACHABLE");
  // The server restarts itself; until it is back the store cannot be reached, which passes.
  const patient = retrying(store, { tries: 100, baseMs: 50, maxMs: 100 });
  expect(await patient.blobs.size(key)).toBeUndefined();
  expect(await listed(patient)).toEqual(new Map());
  await patient.blobs.put(key, bytes);
  expectSame(await patient.blobs.get(key, { maxBytes: bytes.length }), bytes);
});

postgresTest(
  "sessions that the administrator ends are replaced, in the middle of a put and between requests",
  async () => {
    const database = server.createDatabase();
    const store = await open(server.url(database));
    await store.root.swap(undefined, "{}");
    const bytes = bytesOf(5 << 20, 2);
    const key = await newKey(store, bytes);
    const letGo = await holdPart(cleanups, server, { database, key, n: 3 });
    const put = errorOf(store.blobs.put(key, bytes));
    server.query(database, `select pg_terminate_backend(${await waiter(server, database)})`);
    expect((await put).code).toBe("CSP_STORE_UNREACHABLE");
    await letGo();
    expect(await listed(store)).toEqual(new Map());
    await store.blobs.put(key, bytes);
    server.query(database, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'csp'");
    expect(await retrying(store, { baseMs: 10 }).root.read()).toMatchObject({ text: "{}" });
    expectSame(await store.blobs.get(key, { maxBytes: bytes.length }), bytes);
  },
);

postgresTest("a request that gets no answer ends in time, and the next one has another connection", async () => {
  const database = server.createDatabase();
  const store = await open(server.url(database), { timeouts: { idleMs: 400, totalMs: 10_000 } });
  await store.root.swap(undefined, "{}");
  const bytes = bytesOf(100, 3);
  const key = await newKey(store, bytes);
  const letGo = await holdPart(cleanups, server, { database, key, n: 0 });
  const start = performance.now();
  const error = await errorOf(store.blobs.put(key, bytes));
  expect(error).toMatchObject({ code: "CSP_STORE_UNREACHABLE", message: expect.stringContaining("silent") });
  expect(performance.now() - start).toBeLessThan(5000);
  expect(await store.root.read()).toMatchObject({ text: "{}" });
  await letGo();
  await store.blobs.put(key, bytes);
  expect(await store.blobs.size(key)).toBe(100);
});

postgresTest("a server that hangs before it says anything, and one that is no Postgres", async () => {
  const hanging = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const web = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") });
  const closing = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (socket) => void socket.end(), data() {} },
  });
  cleanups.push(() => [hanging.stop(true), web.stop(true), closing.stop(true)]);
  for (const port of [hanging.port, web.port, closing.port]) {
    for (const mode of ["disable", "prefer", "verify-full"]) {
      const store = await open(`postgres://u:secret@127.0.0.1:${port}/d?sslmode=${mode}`, {
        timeouts: { idleMs: 300, totalMs: 5000 },
      });
      const start = performance.now();
      expect(["CSP_STORE_UNREACHABLE", "CSP_STORE_ANSWER"]).toContain(await codeOf(store.root.read()));
      expect(performance.now() - start).toBeLessThan(3000);
    }
  }
});

postgresTest("ending from outside and closing end what runs and what waits", async () => {
  const database = server.createDatabase();
  const controller = new AbortController();
  const store = await open(server.url(database), { signal: controller.signal });
  const version = (await store.root.swap(undefined, "{}")) as string;
  const bytes = bytesOf(100, 4);
  const key = await newKey(store, bytes);
  await holdPart(cleanups, server, { database, key, n: 0 });
  const many = Array.from({ length: 12 }, () => errorOf(store.blobs.put(key, bytes)));
  const waiting = errorOf(store.root.read(version, { wait: 60_000 }));
  await waiter(server, database);
  const reason = new Error("that is all");
  controller.abort(reason);
  for (const each of [...many, waiting]) expect(await each).toBe(reason as CspError);

  const next = server.createDatabase();
  const other = await open(server.url(next));
  const present = (await other.root.swap(undefined, "{}")) as string;
  await holdPart(cleanups, server, { database: next, key, n: 0 });
  const put = errorOf(other.blobs.put(key, bytes));
  const look = errorOf(other.root.read(present, { wait: 60_000 }));
  await waiter(server, next);
  await other.close();
  expect((await put).code).toBe("CSP_STORE_UNREACHABLE");
  expect((await look).code).toBe("CSP_STORE_UNREACHABLE");
  expect(await codeOf(other.root.read())).toBe("CSP_STORE_UNREACHABLE");
});

postgresTest("limits of the server: connections and time", async () => {
  const database = server.createDatabase();
  await (await open(server.url(database))).root.swap(undefined, "{}");
  server.query(database, `create role crowded login connection limit 0 password '${server.password}'`);
  server.query(
    database,
    `create role hurried login superuser password '${server.password}'; alter role hurried set statement_timeout = '100ms'`,
  );
  server.query(
    database,
    `create role polite login superuser password '${server.password}'; alter role polite set lock_timeout = '100ms'`,
  );
  const full = await errorOf((await open(server.url(database, { user: "crowded" }))).root.read());
  expect(full).toMatchObject({ code: "CSP_STORE_UNREACHABLE", message: expect.stringContaining("53300") });
  for (const [user, state] of [
    ["hurried", "57014"],
    ["polite", "55P03"],
  ] as const) {
    const store = await open(server.url(database, { user }));
    const bytes = bytesOf(100, 5);
    const key = await newKey(store, bytes);
    const letGo = await holdPart(cleanups, server, { database, key, n: 0 });
    const error = await errorOf(store.blobs.put(key, bytes));
    expect(error).toMatchObject({ code: "CSP_STORE_UNREACHABLE", message: expect.stringContaining(state) });
    await letGo();
    await store.blobs.put(key, bytes);
  }
});

postgresTest("at most eight connections, and one for a look", async () => {
  const database = server.createDatabase();
  const store = await open(server.url(database));
  await store.root.read();
  expect(server.backends(database)).toHaveLength(1);
  await Promise.all(Array.from({ length: 60 }, (_, index) => putNew(store, bytesOf(20_000, index))));
  expect(server.backends(database).length).toBeLessThanOrEqual(8);
  await store.close();
  await cleanUp(cleanups);
  await untilNobodyIsConnected(server, database);
});

postgresTest("a program ends by itself, whether it closed the store or not", async () => {
  const database = server.createDatabase();
  for (const ending of ["", "await store.close();"]) {
    const program = `
      import { openPostgresStore } from ${JSON.stringify(join(import.meta.dir, "../../../src/store/postgres.ts"))};
      const store = await openPostgresStore(${JSON.stringify(server.url(database, { without: "password" }))}, { env: process.env });
      await store.root.read();
      ${ending}
      console.log("done");`;
    const child = Bun.spawn([process.execPath, "-e", program], {
      env: { PATH: process.env.PATH ?? "", PGPASSWORD: server.password },
      stdout: "pipe",
      stderr: "inherit",
    });
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
    expect(await new Response(child.stdout).text()).toBe("done\n");
    expect(await child.exited).toBe(0);
    clearTimeout(late);
  }
});

const context = {
  address: "postgres://ana@db:5432/d",
  target: parsePostgresAddress("postgres://ana:hush@db/d", {}),
  need: "write",
  passwordNote: undefined,
} as const;

test.each([
  ["08006", "CSP_STORE_UNREACHABLE"],
  ["22P05", "CSP_STORE_ADDRESS"],
  ["25006", "CSP_STORE_READ_ONLY"],
  ["28000", "CSP_STORE_DENIED"],
  ["28P01", "CSP_STORE_DENIED"],
  ["3D000", "CSP_STORE_ADDRESS"],
  ["40001", "CSP_STORE_UNREACHABLE"],
  ["40P01", "CSP_STORE_UNREACHABLE"],
  ["42501", "CSP_STORE_DENIED"],
  ["42703", "CSP_STORE_ANSWER"],
  ["42P01", "CSP_STORE_ANSWER"],
  ["53100", "CSP_STORE_UNREACHABLE"],
  ["53200", "CSP_STORE_UNREACHABLE"],
  ["53300", "CSP_STORE_UNREACHABLE"],
  ["55P03", "CSP_STORE_UNREACHABLE"],
  ["57014", "CSP_STORE_UNREACHABLE"],
  ["57P01", "CSP_STORE_UNREACHABLE"],
  ["57P03", "CSP_STORE_UNREACHABLE"],
  ["58030", "CSP_STORE_UNREACHABLE"],
  ["XX001", "CSP_STORE_ANSWER"],
])("the server's %s is %s, without the server's words", (errno, code) => {
  const told = Object.assign(new Error("hush \u001b[2J"), { code: "ERR_POSTGRES_SERVER_ERROR", errno, detail: "hush" });
  const error = postgresFailure(told, context) as CspError;
  expect(error.code as string).toBe(code);
  expect(JSON.stringify([error.message, error.hint, error.details, error.data]) + String(error.cause)).not.toContain(
    "hush",
  );
});

test("what is no failure of Postgres passes as it is", () => {
  for (const error of [new TypeError("x"), Object.assign(new Error("x"), { code: "ENOENT" }), undefined]) {
    expect(postgresFailure(error, context)).toBe(error);
  }
});
