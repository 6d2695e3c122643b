/** The password for a Postgres server, from the places where libpq looks for it. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { StoreOptions } from "../store.ts";
import type { PostgresAddress } from "./address.ts";

export interface FoundPassword {
  /** Undefined where none was found: some servers want none. */
  password: string | undefined;
  /** Why a file that may hold it was not used; for the hint of a refused login. */
  note: string | undefined;
}

/** From the address, PGPASSWORD, or the file in PGPASSFILE (default `~/.pgpass`), which nobody else may be able to read. */
export async function findPassword(address: PostgresAddress, options: StoreOptions): Promise<FoundPassword> {
  const direct = address.password ?? (options.env.PGPASSWORD || undefined);
  if (direct !== undefined) return { password: direct, note: undefined };
  const file = options.env.PGPASSFILE || (options.home === undefined ? undefined : join(options.home, ".pgpass"));
  if (file === undefined) return { password: undefined, note: undefined };
  try {
    const facts = await stat(file);
    if (!facts.isFile()) return { password: undefined, note: "the password file is no ordinary file" };
    if ((facts.mode & 0o077) !== 0) {
      return { password: undefined, note: "the password file is not used while others can read it: `chmod 600` it" };
    }
    return { password: passwordIn(await readFile(file, "utf8"), address), note: undefined };
  } catch {
    return { password: undefined, note: undefined };
  }
}

/**
 * The password of the first line that fits: `host:port:database:user:password`, where `*` stands for anything and a backslash
 * takes the meaning from a colon or a backslash. A socket's folder is written as such, or as `localhost`.
 */
export function passwordIn(text: string, address: PostgresAddress): string | undefined {
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("#")) continue;
    const [host, port, database, user, password] = fieldsOf(line);
    if (password === undefined || password === "") continue;
    const hosts = address.host.startsWith("/") ? [address.host, "localhost"] : [address.host];
    const fits =
      hosts.some((each) => matches(host, each)) &&
      matches(port, String(address.port)) &&
      matches(database, address.database) &&
      matches(user, address.user);
    if (fits) return password;
  }
  return undefined;
}

/** Four fields up to their colons, and all that is left as the fifth, with the backslashes undone. A bare `*` becomes undefined. */
function fieldsOf(line: string): [...(string | undefined)[]] {
  const fields: (string | undefined)[] = [];
  let rest = line;
  while (fields.length < 4) {
    const [whole, field] = /^((?:\\.|[^:\\])*):/s.exec(rest) ?? [];
    if (whole === undefined || field === undefined) return [];
    fields.push(field === "*" ? undefined : unescaped(field));
    rest = rest.slice(whole.length);
  }
  return [...fields, unescaped(rest)];
}

function matches(field: string | undefined, value: string): boolean {
  return field === undefined || field === value;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/gs, "$1");
}
