/** The tables of a store in Postgres: how they are made, by whoever writes first, and how their format is known. */
import type { SQL } from "bun";
import { CspError } from "../../core/errors.ts";
import { lastingAnswer } from "../failures.ts";
import { isAbsent, sqlState } from "./failures.ts";

/** The format of the tables. */
export const postgresFormat = 1;

/** Bytes of an object in one row; the last row of an object has what is left. Part of the format. */
export const partBytes = 1024 * 1024;

/** A table's name in a statement. Names of schemas are checked when an address is read. */
export function table(schema: string, name: "meta" | "blob" | "root"): string {
  return `"${schema}".${name}`;
}

/** The statements that make an empty store in an existing schema. */
export function tableStatements(schema: string): readonly string[] {
  const [meta, blob, root] = [table(schema, "meta"), table(schema, "blob"), table(schema, "root")];
  return [
    `create table ${meta} (id boolean primary key default true check (id), format integer not null)`,
    `create table ${blob} (
  key text collate "C" not null,
  n integer not null check (n >= 0),
  size bigint not null check (size >= 0),
  bytes bytea not null check (octet_length(bytes) <= ${partBytes}),
  primary key (key, n)
)`,
    `alter table ${blob} alter column bytes set storage external`,
    `create table ${root} (id boolean primary key default true check (id), version text not null, text text not null)`,
    `insert into ${meta} (format) values (${postgresFormat})`,
  ];
}

/** True for a store that is there, false where there is none yet. Throws CSP_STORE_NEWER and CSP_STORE_ANSWER. */
export async function hasStore(sql: SQL, schema: string, address: string): Promise<boolean> {
  try {
    checkFormat(await sql.unsafe(`select format from ${table(schema, "meta")} limit 2`, []), address);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** Throws where the rows of `meta`, or of a join with it, are not one row with a format that this csp knows. */
export function checkFormat(rows: readonly unknown[], address: string): void {
  const { format } = (rows[0] ?? {}) as { format?: unknown };
  if (rows.length !== 1 || typeof format !== "number" || !Number.isSafeInteger(format) || format < 1) {
    throw lastingAnswer(
      address,
      "does not say which format it has",
      "its table `meta` has to have one row, with the format",
    );
  }
  if (format > postgresFormat) {
    throw new CspError("CSP_STORE_NEWER", {
      message: `the store \`${address}\` has format ${format}, and this csp knows ${postgresFormat}`,
      hint: "update csp",
      data: { store: address, format },
    });
  }
}

/** Others that make the same tables at the same moment come to one of these errors, depending on who is where. */
const overtaken = ["23505", "42P06", "42P07", "42710", "40001", "40P01", "55P03"];

/** Makes the tables, all or none; whoever else does it meanwhile, one of them wins and all succeed. */
export async function createStore(sql: SQL, schema: string, address: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await sql.begin("isolation level read committed", (transaction) => create(transaction, schema, address));
      return;
    } catch (error) {
      if (attempt === 5 || !overtaken.includes(sqlState(error) ?? "")) throw error;
    }
  }
}

async function create(sql: SQL, schema: string, address: string): Promise<void> {
  await sql.unsafe("set local lock_timeout = '10s'");
  await sql.unsafe("set local statement_timeout = '20s'");
  // Spares the losers an error in the server's log; that there is one winner does not depend on it.
  await sql.unsafe("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`csp ${schema}`]);
  const [found] = await sql.unsafe(
    "select (select count(*)::int from pg_namespace where nspname = $1) as schemas, to_regclass($2) is not null as made",
    [schema, table(schema, "meta")],
  );
  if (found?.made === true) return void (await hasStore(sql, schema, address));
  // `if not exists` would ask for the right to create schemas even where the owner made it before.
  if (found?.schemas === 0) await sql.unsafe(`create schema "${schema}"`);
  for (const statement of tableStatements(schema)) await sql.unsafe(statement);
}
