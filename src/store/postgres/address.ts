/**
 * The address of a store in Postgres, `postgres://user@host:5432/database?schema=csp`, completed from the environment as libpq
 * does it: what the address leaves out comes from PGHOST, PGPORT, PGUSER, PGDATABASE.
 */
import { CspError } from "../../core/errors.ts";

export interface PostgresAddress {
  /** Name or number of the host, or the folder of a unix socket. */
  host: string;
  port: number;
  user: string;
  database: string;
  schema: string;
  /** From the address alone; see `findPassword` for the other places. */
  password: string | undefined;
  sslmode: string | undefined;
  /** Paths of the authorities' certificates, of the client's certificate and of its key. */
  sslrootcert: string | undefined;
  sslcert: string | undefined;
  sslkey: string | undefined;
  /** The whole address in one form, for messages, without the password. */
  text: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const example = "write it as `postgres://user@host:5432/database`, and the password into PGPASSWORD or `~/.pgpass`";
const parameters = ["host", "schema", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/** Throws CSP_STORE_ADDRESS for what is no such address. No message repeats it: it may hold a password. */
export function parsePostgresAddress(address: string, env: Environment): PostgresAddress {
  const [, authority, path = "", query = ""] =
    /^postgres(?:ql)?:\/\/([^/?#]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/i.exec(address) ?? [];
  if (authority === undefined) throw refusal("cannot be read");
  const given = parametersOf(query);
  const at = authority.lastIndexOf("@");
  const [, user = "", password] = /^([^:]*)(?::(.*))?$/s.exec(at < 0 ? "" : authority.slice(0, at)) ?? [];
  const [, name, port] = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)(?::(\d*))?$/.exec(authority.slice(at + 1)) ?? [];
  if (name === undefined) throw refusal("names no host, or a port that is no number");
  const host = given.get("host") ?? (decoded(name.replace(/^\[|\]$/g, ""), "host") || env.PGHOST || "localhost");
  const role = decoded(user, "user") || env.PGUSER || env.USER || env.LOGNAME;
  if (role === undefined || role === "") throw refusal("names no user, and PGUSER is not set");
  const parts = {
    host: checkedHost(host),
    port: checkedPort(port || env.PGPORT || "5432"),
    user: printable(role, "user"),
    database: printable(decoded(path, "database") || env.PGDATABASE || role, "database"),
    schema: checkedSchema(given.get("schema") ?? "csp"),
  };
  return {
    ...parts,
    password: password === undefined || password === "" ? undefined : decoded(password, "password"),
    sslmode: given.get("sslmode") ?? (env.PGSSLMODE || undefined),
    sslrootcert: given.get("sslrootcert") ?? (env.PGSSLROOTCERT || undefined),
    sslcert: given.get("sslcert") ?? (env.PGSSLCERT || undefined),
    sslkey: given.get("sslkey") ?? (env.PGSSLKEY || undefined),
    text: shown(parts),
  };
}

/** True where the connection does not leave this machine. */
export function isLocal(host: string): boolean {
  return host.startsWith("/") || host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function shown(parts: Pick<PostgresAddress, "host" | "port" | "user" | "database" | "schema">): string {
  const socket = parts.host.startsWith("/");
  const host = socket ? "" : parts.host.includes(":") ? `[${parts.host}]` : parts.host;
  const query = [
    ...(socket ? [`host=${encodeURIComponent(parts.host).replaceAll("%2F", "/")}`] : []),
    ...(parts.schema === "csp" ? [] : [`schema=${parts.schema}`]),
  ].join("&");
  const place = `${encodeURIComponent(parts.user)}@${host}:${parts.port}/${encodeURIComponent(parts.database)}`;
  return `postgres://${place}${query === "" ? "" : `?${query}`}`;
}

function parametersOf(query: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of query.split("&").filter((each) => each !== "")) {
    const [, name = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(part) ?? [];
    if (!parameters.includes(name)) {
      throw refusal("has a parameter that csp does not know", `those it knows are \`${parameters.join("`, `")}\``);
    }
    if (found.has(name)) throw refusal(`has \`${name}\` twice`);
    if (value !== "") found.set(name, printable(decoded(value, name), name));
  }
  return found;
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refusal(`has a \`%\` in its ${what} that stands for nothing`, "write `%25` for a `%`");
  }
}

function printable(text: string, what: string): string {
  if (!/^[^\p{C}\p{Zl}\p{Zp}]{1,1000}$/u.test(text)) throw refusal(`has control characters in its ${what}`);
  return text;
}

function checkedHost(host: string): string {
  if (host.startsWith("/")) return printable(host, "host");
  if (host.includes(",")) {
    throw refusal("names several hosts", "name one: a name in DNS, a proxy or a pooler can stand for several servers");
  }
  if (!/^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/.test(host)) {
    throw refusal("has a host that is no name");
  }
  return host;
}

function checkedPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) throw refusal("has a port that is none");
  return port;
}

function checkedSchema(schema: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema) || schema.startsWith("pg_")) {
    throw refusal("has a `schema` that csp does not use", "use lower-case letters, digits and `_`");
  }
  return schema;
}

function refusal(problem: string, hint = example): CspError {
  return new CspError("CSP_STORE_ADDRESS", { message: `the address of the Postgres store ${problem}`, hint });
}
