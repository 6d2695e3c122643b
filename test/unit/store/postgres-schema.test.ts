/** The tables of a store in Postgres: who makes them, who may use them, and what else may be found in them. */
import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { tableStatements } from "../../../src/store/postgres/schema.ts";
import type { Store } from "../../../src/store/store.ts";
import { meets } from "../../support/needs.ts";
import { type PostgresServer, startPostgres } from "../../support/servers/postgres.ts";
import { readPage } from "../docs/page.ts";
import { bytesOf, codeOf, expectSame, listed, newKey, putNew } from "./objects.ts";
import { type Cleanups, cleanUp, errorOf, openAt, postgresTest, waiter } from "./postgres-fixture.ts";

let server: PostgresServer;
const cleanups: Cleanups = [];

beforeAll(async () => {
  if (meets("postgres")) server = await startPostgres();
}, 60_000);
afterEach(() => cleanUp(cleanups));
afterAll(() => server?.stop());

function open(database: string, user?: string, parameters = ""): Promise<Store> {
  return openAt(cleanups, `${server.url(database, user === undefined ? {} : { user })}${parameters}`);
}

/** A role of that name with the password of all, in the cluster. */
function makeRole(name: string, attributes = ""): string {
  server.query("postgres", `create role ${name} login ${attributes} password '${server.password}'`);
  return name;
}

function tables(database: string): string {
  return server.query(database, "select string_agg(nspname, ' ') from pg_namespace where nspname not like 'pg_%'");
}

postgresTest("a reader makes nothing, and sees an empty store", async () => {
  const database = server.createDatabase();
  const before = tables(database);
  const store = await open(database);
  const key = await newKey(store, bytesOf(10, 1));
  expect(await store.root.read()).toBeUndefined();
  expect(await store.blobs.size(key)).toBeUndefined();
  expect(await codeOf(store.blobs.get(key, { maxBytes: 10 }))).toBe("CSP_STORE_MISSING");
  expect(await listed(store)).toEqual(new Map());
  await store.blobs.delete(key);
  expect(await store.capabilities()).toEqual({ writers: "many" });
  expect(tables(database)).toBe(before);
});

postgresTest("many that write first at once make one store, and nobody notices the others", async () => {
  for (const round of [1, 2, 3, 4]) {
    const database = server.createDatabase();
    const clients = await Promise.all(Array.from({ length: 6 }, () => open(database)));
    const bytes = bytesOf(100, round);
    const outcomes = await Promise.all(
      clients.map(async (client, index) => {
        if (index % 2 === 0) return await putNew(client, bytes);
        return (await client.root.swap(undefined, `"${index}"`)) ?? "lost";
      }),
    );
    expect(outcomes.filter((each) => each === "lost")).toHaveLength(2);
    const reader = await open(database);
    expect((await listed(reader)).size).toBe(3);
    expect(await reader.root.read()).toMatchObject({ text: expect.stringMatching(/^"[135]"$/) });
    expect(server.query(database, "select count(*), max(format) from csp.meta")).toBe("1|1");
  }
});

postgresTest("whoever waits for another one's tables finds them, and whoever waits in vain makes them", async () => {
  for (const outcome of ["commit", "rollback"]) {
    const database = server.createDatabase();
    const other = new Bun.SQL(server.url(database), { max: 1 });
    const writer = await open(database);
    // Without csp's lock, as an administrator would: the writer meets the unfinished names themselves.
    await other.unsafe("begin");
    await other.unsafe("create schema csp");
    for (const statement of tableStatements("csp")) await other.unsafe(statement);
    const put = putNew(writer, bytesOf(10, 1));
    await waiter(server, database);
    await other.unsafe(outcome);
    await other.close();
    const key = await put;
    expect(await listed(await open(database))).toEqual(new Map([[key, 10]]));
  }
});

postgresTest("stores in several schemas of one database do not meet, whatever their names mean in SQL", async () => {
  const database = server.createDatabase();
  const [one, other] = [
    await open(database, undefined, "?schema=user"),
    await open(database, undefined, "?schema=b_2"),
  ];
  const key = await putNew(one, bytesOf(10, 1));
  await one.root.swap(undefined, "one");
  expect(await other.root.read()).toBeUndefined();
  await other.root.swap(undefined, "other");
  expect(await other.blobs.size(key)).toBeUndefined();
  expect(await one.root.read()).toMatchObject({ text: "one" });
});

postgresTest("a newer format is refused, by readers and by writers", async () => {
  const database = server.createDatabase();
  const writer = await open(database);
  const version = await writer.root.swap(undefined, "{}");
  server.query(database, "update csp.meta set format = 2");
  const store = await open(database);
  const key = await newKey(store, bytesOf(10, 1));
  expect(await codeOf(store.root.read())).toBe("CSP_STORE_NEWER");
  expect(await codeOf(store.root.read(version))).toBe("CSP_STORE_NEWER");
  for (const attempt of [
    () => store.blobs.put(key, bytesOf(10, 1)),
    () => store.root.swap(version, "x"),
    () => store.blobs.size(key),
  ]) {
    expect(await codeOf(attempt())).toBe("CSP_STORE_NEWER");
  }
  expect(server.query(database, "select text from csp.root")).toBe("{}");
});

postgresTest("the documentation's statements make the tables, and its roles may do what it says", async () => {
  const page = readPage("docs/stores/postgres.md");
  const blocks = [...page.matchAll(/^```sql\n([\s\S]*?)^```/gm)].map((match) => match[1] as string);
  const statements = blocks.map((block) =>
    block
      .split(/;\n/)
      .map((each) => each.trim())
      .filter((each) => each !== ""),
  );
  expect(statements[1]).toEqual(tableStatements("csp").map((each) => each.replaceAll('"csp"', "csp")));
  const database = server.createDatabase();
  server.query(database, blocks.join("\n"));
  for (const role of ["csp_reader", "csp_publisher", "csp_collector"]) {
    server.query(database, `alter role ${role} password '${server.password}'`);
  }
  const [reader, publisher, collector] = [
    await open(database, "csp_reader"),
    await open(database, "csp_publisher"),
    await open(database, "csp_collector"),
  ];
  const bytes = bytesOf(1000, 1);
  const key = await putNew(publisher, bytes);
  const first = (await publisher.root.swap(undefined, "1")) as string;
  const second = (await publisher.root.swap(first, "2")) as string;
  expectSame(await reader.blobs.get(key, { maxBytes: 1000 }), bytes);
  expect(await reader.root.read(first)).toEqual({ version: second, text: "2" });
  expect(await publisher.capabilities()).toEqual({ writers: "many" });
  expect(await collector.capabilities()).toEqual({ writers: "many" });
  expect(await reader.capabilities()).toEqual({ writers: "none", why: "the role csp_reader may only read" });

  for (const attempt of [
    () => reader.blobs.put(key, bytes),
    () => reader.root.swap(second, "3"),
    () => reader.root.swap(undefined, "3"),
  ]) {
    const error = await errorOf(attempt());
    expect(error.code).toBe("CSP_STORE_DENIED");
    expect(error.hint).toContain('grant select, insert on csp.blob to "csp_reader"');
  }
  const refusedDelete = await errorOf(publisher.blobs.delete(key));
  expect(refusedDelete.code).toBe("CSP_STORE_DENIED");
  expect(refusedDelete.hint).toContain('grant delete on csp.blob to "csp_publisher"');
  expect(await codeOf(collector.blobs.put(await newKey(collector, bytes), bytes))).toBe("CSP_STORE_DENIED");
  expect(await collector.root.swap(second, "4")).toBeDefined();
  await collector.blobs.delete(key);
  expect(await listed(reader)).toEqual(new Map());
});

postgresTest("who may neither read nor make is told which statement helps", async () => {
  const database = server.createDatabase();
  const stranger = await open(database, makeRole("stranger"));
  expect(await stranger.root.read()).toBeUndefined();
  expect(await stranger.capabilities()).toMatchObject({ writers: "none" });
  const making = await errorOf(stranger.root.swap(undefined, "{}"));
  expect(making.code).toBe("CSP_STORE_DENIED");
  expect(making.hint).toContain(`grant create on database "${database}" to "stranger"`);
  await (await open(database)).root.swap(undefined, "{}");
  const another = await open(database, "stranger");
  const key = await newKey(stranger, bytesOf(1, 1));
  for (const attempt of [() => stranger.root.read(), () => another.blobs.size(key)]) {
    const reading = await errorOf(attempt());
    expect(reading.code).toBe("CSP_STORE_DENIED");
    expect(reading.hint).toContain('grant usage on schema csp to "stranger"');
  }
});

postgresTest("what only reads cannot be written, and says so", async () => {
  const database = server.createDatabase();
  await (await open(database)).root.swap(undefined, "{}");
  makeRole("viewer", "superuser");
  server.query("postgres", "alter role viewer set default_transaction_read_only = on");
  const viewer = await open(database, "viewer");
  expect(await viewer.root.read()).toMatchObject({ text: "{}" });
  expect(await viewer.capabilities()).toMatchObject({ writers: "none", why: expect.stringContaining("read-only") });
  expect(await codeOf(putNew(viewer, bytesOf(10, 1)))).toBe("CSP_STORE_READ_ONLY");
  expect(await codeOf(viewer.root.swap(undefined, "x"))).toBe("CSP_STORE_READ_ONLY");
  const empty = await open(server.createDatabase(), "viewer");
  expect(await codeOf(empty.root.swap(undefined, "x"))).toBe("CSP_STORE_READ_ONLY");
});

postgresTest("rows that csp did not write are no objects", async () => {
  const database = server.createDatabase();
  const store = await open(database);
  const megabyte = 1 << 20;
  const bytes = bytesOf(2 * megabyte + 100, 1);
  await putNew(store, bytesOf(1, 1));
  const unguarded = server.query(
    database,
    "select string_agg(format('alter table csp.blob drop constraint %I', conname), ';') from pg_constraint where conrelid = 'csp.blob'::regclass",
  );
  server.query(
    database,
    `${unguarded}; alter table csp.blob alter key drop not null, alter n drop not null, alter size drop not null, alter bytes drop not null`,
  );
  const spoil: Record<string, string> = {
    "no bytes in the middle": "update csp.blob set bytes = null where key = $ and n = 1",
    "no number": "update csp.blob set n = null where key = $ and n = 1",
    "no sizes": "update csp.blob set size = null where key = $",
    "a part gone": "delete from csp.blob where key = $ and n = 1",
    "the last part gone": "delete from csp.blob where key = $ and n = 2",
    "a part too many": "insert into csp.blob select key, 3, size, '' from csp.blob where key = $ and n = 0",
    "a part twice": "insert into csp.blob select * from csp.blob where key = $ and n = 1",
    "a part that is cut": "update csp.blob set bytes = substring(bytes from 2) where key = $ and n = 1",
    "a part of 40 MB": `update csp.blob set bytes = convert_to(repeat('x', 40000000), 'UTF8') where key = $ and n = 1`,
    "another size": "update csp.blob set size = size + 1 where key = $",
    "a negative size": "update csp.blob set size = -1 where key = $",
  };
  for (const [name, statement] of Object.entries(spoil)) {
    const key = await putNew(store, bytes);
    server.query(database, statement.replaceAll("$", `'${key}'`));
    expect(`${name}: ${await codeOf(store.blobs.get(key, { maxBytes: bytes.length + 10 }))}`).toBe(
      `${name}: CSP_STORE_CORRUPT`,
    );
    if (/negative|no sizes/.test(name)) expect(await codeOf(store.blobs.size(key))).toBe("CSP_STORE_CORRUPT");
  }
  const key = await putNew(store, bytes);
  server.query(database, `update csp.blob set size = 9000000000000000000 where key = '${key}'`);
  expect(await codeOf(store.blobs.get(key, { maxBytes: bytes.length }))).toBe("CSP_STORE_ANSWER");
  expect((await listed(store)).has(key)).toBe(false);
  const good = await putNew(store, bytes);
  expectSame(await store.blobs.get(good, { maxBytes: bytes.length }), bytes);
});

postgresTest("a root that csp did not write is no root", async () => {
  const database = server.createDatabase();
  const store = await open(database);
  await store.root.swap(undefined, "{}");
  const spoiled = async (statement: string): Promise<string> => {
    server.query(database, statement);
    return await codeOf((await open(database)).root.read());
  };
  expect(await spoiled("update csp.root set version = ''")).toBe("CSP_STORE_ANSWER");
  expect(await spoiled("update csp.root set version = E'1\\n2'")).toBe("CSP_STORE_ANSWER");
  expect(await spoiled("update csp.root set version = repeat('1', 201)")).toBe("CSP_STORE_ANSWER");
  expect(
    await spoiled("alter table csp.root alter text drop not null; update csp.root set version = '1', text = null"),
  ).toBe("CSP_STORE_ANSWER");
  expect(
    await spoiled("alter table csp.root drop constraint root_pkey; insert into csp.root values (true, '2', '')"),
  ).toBe("CSP_STORE_ANSWER");
  expect(await spoiled("drop table csp.root; create table csp.root (id int)")).toBe("CSP_STORE_ANSWER");
  expect(await spoiled("alter table csp.meta drop constraint meta_pkey; insert into csp.meta values (true, 1)")).toBe(
    "CSP_STORE_ANSWER",
  );
  expect(await spoiled("truncate csp.meta")).toBe("CSP_STORE_ANSWER");
  expect(
    await spoiled("drop table csp.meta; create table csp.meta (format text); insert into csp.meta values ('1')"),
  ).toBe("CSP_STORE_ANSWER");
});

postgresTest("somebody else's schema is left alone", async () => {
  const database = server.createDatabase();
  server.query(database, "create schema csp; create table csp.blob (key text); insert into csp.blob values ('theirs')");
  const store = await open(database);
  const error = await errorOf(putNew(store, bytesOf(10, 1)));
  expect(error.code).toBe("CSP_STORE_ANSWER");
  expect(error.message).toContain("that csp did not make");
  expect(server.query(database, "select key from csp.blob")).toBe("theirs");
});
