/** Addresses, passwords and TLS settings of a store in Postgres, without a server. */
import { afterEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { CspError } from "../../../src/core/errors.ts";
import { type PostgresAddress, parsePostgresAddress } from "../../../src/store/postgres/address.ts";
import { findPassword, passwordIn } from "../../../src/store/postgres/password.ts";
import { tlsOf } from "../../../src/store/postgres/tls.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { codeOf } from "./objects.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) removeTree(folder);
});

function temp(): string {
  const folder = makeTemp();
  folders.push(folder);
  return folder;
}

function parse(address: string, env: Record<string, string> = {}): PostgresAddress {
  return parsePostgresAddress(address, env);
}

function options(home: string | undefined, env: Record<string, string> = {}) {
  return { env, home, userAgent: "csp-test" };
}

test("an address with everything", () => {
  const parsed = parse("postgres://ana%40x:s%3Acret@db.example.com:6432/the%20one?schema=prod&sslmode=verify-ca");
  expect(parsed).toMatchObject({
    host: "db.example.com",
    port: 6432,
    user: "ana@x",
    password: "s:cret",
    database: "the one",
    schema: "prod",
    sslmode: "verify-ca",
    text: "postgres://ana%40x@db.example.com:6432/the%20one?schema=prod",
  });
});

test("what is left out comes from the environment, and the address wins", () => {
  const env = { PGHOST: "db", PGPORT: "6000", PGUSER: "eve", PGDATABASE: "stuff", PGSSLMODE: "require", USER: "root" };
  expect(parse("postgres://", env)).toMatchObject({ host: "db", port: 6000, user: "eve", database: "stuff" });
  expect(parse("postgres://", env).sslmode).toBe("require");
  expect(parse("postgresql://ana@h:1/d?sslmode=disable", env)).toMatchObject({
    host: "h",
    port: 1,
    user: "ana",
    database: "d",
    sslmode: "disable",
  });
  expect(parse("postgres://h", { USER: "ana" })).toMatchObject({ user: "ana", database: "ana", port: 5432 });
  expect(parse("postgres:///d", { USER: "ana" }).host).toBe("localhost");
});

test("sockets and numbers", () => {
  const socket = parse("postgres://ana@/d?host=/run/postgresql");
  expect(socket).toMatchObject({ host: "/run/postgresql", text: "postgres://ana@:5432/d?host=/run/postgresql" });
  expect(parse("postgres://ana@%2Frun%2Fpostgresql/d").text).toBe(socket.text);
  expect(parse("postgres://ana@/d", { PGHOST: "/run/postgresql" }).text).toBe(socket.text);
  expect(parse("postgres://ana@[::1]:77/d")).toMatchObject({ host: "::1", text: "postgres://ana@[::1]:77/d" });
});

test.each([
  "postgres:/x",
  "postgres://u:hush@h:port/d",
  "postgres://u:hush@h:99999/d",
  "postgres://u:hush@h:0/d",
  "postgres://u:hush@a,b/d",
  "postgres://u:hush@h/d/more",
  "postgres://u:hush@h/d#x",
  "postgres://u:hu/sh@h/d",
  "postgres://u:hu sh@h h/d",
  "postgres://u:hush%@h/d",
  "postgres://u:hush@h/%00",
  "postgres://u:hush@h/a%0ab",
  "postgres://u%1b[2J:hush@h/d",
  "postgres://u:hush@h/d?schema=Pg;drop",
  "postgres://u:hush@h/d?schema=pg_catalog",
  "postgres://u:hush@h/d?password=hush",
  "postgres://u:hush@h/d?schema=a&schema=b",
  "postgres://u:hush@-h/d",
  "postgres://u:hush@[h]/d",
])("%s is refused, and its password is not repeated", (address) => {
  const problem = ((): unknown => {
    try {
      return parse(address);
    } catch (error) {
      return error;
    }
  })();
  expect(problem).toMatchObject({ code: "CSP_STORE_ADDRESS" });
  const { message, hint, data } = problem as CspError;
  expect(JSON.stringify([message, hint, data])).not.toMatch(/hush|hu\/sh|hu sh/);
});

test("no user at all is said", () => {
  expect(() => parse("postgres://h/d")).toThrow("names no user");
});

test("whatever is read back from the shown address is the same place", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }), fc.nat(65_534), (name, port) => {
      const address = `postgres://${encodeURIComponent(name)}:hush@h:${port + 1}/${encodeURIComponent(name)}?schema=s1`;
      let parsed: PostgresAddress;
      try {
        parsed = parse(address);
      } catch {
        return;
      }
      expect(parsed.text).toMatch(/^[\x21-\x7e]+$/);
      expect(parsed.text).not.toContain("`");
      const { password, ...place } = parsed;
      expect(password).toBe("hush");
      expect(parse(parsed.text)).toEqual({ ...place, password: undefined });
    }),
    { numRuns: 300 },
  );
});

test("the password file: first line that fits, wildcards, escapes, comments", () => {
  const address = parse("postgres://an:a@h/d", {});
  const of = (text: string, at = { ...address, user: "an:a" }) => passwordIn(text, at);
  expect(of("h:5432:d:an\\:a:s\\:e\\\\cret")).toBe("s:e\\cret");
  expect(of("h:5432:d:an\\:a:with:colons")).toBe("with:colons");
  expect(of("#h:5432:d:an\\:a:no\n*:*:*:*:first\n*:*:*:*:second")).toBe("first");
  expect(of("other:*:*:*:no\r\nh:*:*:an\\:a:yes\r\n")).toBe("yes");
  expect(of("h:5433:*:*:no\nh:5432:e:*:no\nh:5432:d:b:no\n\nnonsense\n")).toBeUndefined();
  expect(of("\\*:*:*:*:no")).toBeUndefined();
  const socket = parse("postgres://ana@/d?host=/run/postgresql");
  expect(passwordIn("localhost:*:*:*:socket", socket)).toBe("socket");
  expect(passwordIn("/run/postgresql:*:*:*:socket", socket)).toBe("socket");
});

test("the password's places in their order, and a file that others can read is not used", async () => {
  const home = temp();
  const file = join(home, ".pgpass");
  writeFileSync(file, "*:*:*:*:filed\n", { mode: 0o600 });
  const address = parse("postgres://ana@h/d");
  expect(await findPassword({ ...address, password: "own" }, options(home, { PGPASSWORD: "env" }))).toMatchObject({
    password: "own",
  });
  expect(await findPassword(address, options(home, { PGPASSWORD: "env" }))).toMatchObject({ password: "env" });
  expect(await findPassword(address, options(home))).toEqual({ password: "filed", note: undefined });
  expect((await findPassword(address, options(home, { PGPASSFILE: join(home, "none") }))).password).toBeUndefined();
  expect(await findPassword(address, options("/nonexistent"))).toEqual({ password: undefined, note: undefined });
  for (const mode of [0o640, 0o604, 0o620]) {
    chmodSync(file, mode);
    const found = await findPassword(address, options(home));
    expect(found.password).toBeUndefined();
    expect(found.note).toContain("chmod 600");
  }
  expect((await findPassword(address, options(home, { PGPASSFILE: home }))).note).toContain("no ordinary file");
});

test("without a mode, what leaves the machine is verified", async () => {
  const home = temp();
  const mode = async (address: string) => (await tlsOf(parse(address), options(home))).mode;
  expect(await mode("postgres://u@db.example.com/d")).toBe("verify-full");
  expect(await mode("postgres://u@10.0.0.1/d")).toBe("verify-full");
  expect(await mode("postgres://u@localhost.example.com/d")).toBe("verify-full");
  for (const host of ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
    expect(await mode(`postgres://u@${host}/d`)).toBe("prefer");
  expect(await mode("postgres://u@/d?host=/run&sslmode=verify-full")).toBe("disable");
  for (const given of ["disable", "prefer", "require", "verify-ca", "verify-full"]) {
    expect(await mode(`postgres://u@db/d?sslmode=${given}`)).toBe(given as "require");
  }
  expect(await codeOf(mode("postgres://u@db/d?sslmode=verify"))).toBe("CSP_STORE_SETTINGS");
});

test("authorities: named, the default file, or those of bun; `require` with them verifies", async () => {
  const home = temp();
  const pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
  const named = join(home, "ca.pem");
  writeFileSync(named, pem);
  const tls = (query: string) => tlsOf(parse(`postgres://u@db/d?${query}`), options(home));
  expect(await tls(`sslrootcert=${named}`)).toEqual({ binding: "prefer", mode: "verify-full", ca: pem });
  expect(await tls(`sslmode=require&sslrootcert=${named}`)).toEqual({ binding: "prefer", mode: "verify-ca", ca: pem });
  expect(await tls("sslmode=require")).toEqual({ binding: "prefer", mode: "require" });
  mkdirSync(join(home, ".postgresql"));
  writeFileSync(join(home, ".postgresql/root.crt"), `default ${pem}`);
  expect(await codeOf(tls("sslmode=verify-full"))).toBe("CSP_STORE_SETTINGS");
  writeFileSync(join(home, ".postgresql/root.crt"), `${pem}\n`);
  expect(await tls("sslmode=verify-full")).toEqual({ binding: "prefer", mode: "verify-full", ca: `${pem}\n` });
  expect(await tls("sslrootcert=system")).toEqual({ binding: "prefer", mode: "verify-full" });
  expect(await codeOf(tls(`sslrootcert=${home}/none.pem`))).toBe("CSP_STORE_SETTINGS");
  expect(await codeOf(tls(`sslcert=${named}`))).toBe("CSP_STORE_SETTINGS");
  expect(await tls(`sslcert=${named}&sslkey=${named}&sslrootcert=system`)).toMatchObject({ cert: pem, key: pem });
});
