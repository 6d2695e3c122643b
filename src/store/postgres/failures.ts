/** What Postgres, or the way to it, refuses. Only codes are looked at: texts come from the server and may say anything. */
import { CspError } from "../../core/errors.ts";
import type { StoreKey } from "../../core/store-key.ts";
import { badAnswer, denied, lastingAnswer, noStore, readOnly, unreachable } from "../failures.ts";
import type { PostgresAddress } from "./address.ts";

/** What a request was for, to say what could help. */
export interface FailureContext {
  address: string;
  target: PostgresAddress;
  /** What a role needs for it. */
  need: "read" | "write" | "delete" | "create";
  /** Why a password file was not used. */
  passwordNote: string | undefined;
}

/** An object's bytes are not what was put. `problem` completes "the store `x` has …". */
export function corrupt(address: string, key: StoreKey, problem: string): CspError {
  return new CspError("CSP_STORE_CORRUPT", {
    message: `the store \`${address}\` has ${problem} under \`${key}\``,
    hint: "run `csp verify --store --repair` where the store can be written",
    data: { store: address, key },
  });
}

/** The five characters that the server gives for an error; undefined for errors that are not the server's. */
export function sqlState(error: unknown): string | undefined {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  if (code !== "ERR_POSTGRES_SERVER_ERROR" && code !== "ERR_POSTGRES_SYNTAX_ERROR") return undefined;
  return typeof errno === "string" && /^[0-9A-Z]{5}$/.test(errno) ? errno : undefined;
}

/** True where a table or schema that was asked for does not exist. */
export function isAbsent(error: unknown): boolean {
  return ["42P01", "3F000"].includes(sqlState(error) ?? "");
}

/** What to throw for `error`; what is neither the server's nor the connection's passes as it is. */
export function postgresFailure(error: unknown, context: FailureContext): unknown {
  if (error instanceof CspError) return error;
  const state = sqlState(error);
  if (state !== undefined) return refused(state, context);
  const { address } = context;
  const { code } = (error ?? {}) as { code?: unknown };
  if (typeof code !== "string") return error;
  if (code === "ERR_POSTGRES_TLS_NOT_AVAILABLE") {
    return unreachable(address, "does not speak TLS", `turn TLS on at the server; ${withoutTls}`);
  }
  if (
    /^(?:ERR_TLS|ERR_SSL|ERR_BORINGSSL|ERR_POSTGRES_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT_|CRL_|HOSTNAME)/.test(
      code,
    )
  ) {
    return unreachable(address, `has a certificate that cannot be trusted (${code})`, certificates);
  }
  if (/^ERR_POSTGRES_(?:CONNECTION|IDLE|LIFETIME|QUERY_CANCELLED)/.test(code)) {
    return unreachable(address, connectionProblem(code));
  }
  if (/^ERR_POSTGRES_(?:AUTHENTICATION|UNKNOWN_AUTH|UNSUPPORTED_AUTH|INVALID_SERVER|SASL|CHANNEL)/.test(code)) {
    return denied(
      address,
      `let \`${context.target.user}\` in (${code})`,
      "use a password with the method scram-sha-256",
    );
  }
  return code.startsWith("ERR_POSTGRES_")
    ? badAnswer(address, `answered in a way that Postgres does not (${code})`)
    : error;
}

function connectionProblem(code: string): string {
  switch (code) {
    case "ERR_POSTGRES_CONNECTION_REFUSED":
      return "cannot be reached: nothing answers at that host and port";
    case "ERR_POSTGRES_CONNECTION_TIMEOUT":
      return "did not answer in time";
    default:
      return "closed the connection";
  }
}

const poolers =
  "check that the pooler knows this role, password and database, and read its log; PGOPTIONS cannot be used with one";
const withoutTls = "where the network itself is safe, `?sslmode=disable` goes without";
const certificates =
  "name its authority with `sslrootcert=/path/to/ca.pem` in the address or PGSSLROOTCERT, and use the host's name that is in the certificate";

function refused(state: string, context: FailureContext): CspError {
  const { address, target, passwordNote } = context;
  const code = `(${state})`;
  switch (state) {
    case "28P01":
    case "28000":
      return denied(
        address,
        `let \`${shown(target.user)}\` in ${code}`,
        passwordNote ??
          "put the password into PGPASSWORD or `~/.pgpass`, and see that `pg_hba.conf` allows this role and host",
      );
    case "42501":
      return denied(address, `${actions[context.need]} ${code}`, grants(context));
    case "25006":
      return readOnly(address, "it is a standby, or transactions on it are read-only");
    case "3D000":
      return noStore(address, `is in a database that does not exist ${code}`, "create it with `createdb`, in UTF8");
    case "22P05":
    case "22021":
      return noStore(
        address,
        `is in a database that cannot hold every character ${code}`,
        "use one whose encoding is UTF8",
      );
    case "53100":
      return unreachable(
        address,
        `has no space left on its disk ${code}`,
        "free some space there, or run `csp gc --store`",
      );
    case "53300":
      return unreachable(address, `has no connection to spare ${code}`, "raise `max_connections`, or use a pooler");
    case "57014":
    case "55P03":
      return unreachable(address, `gave up a request that took too long ${code}`);
    case "08P01":
      return unreachable(address, `was refused to csp by a pooler ${code}`, poolers);
    case "57P03":
      return unreachable(address, `is starting or stopping ${code}`);
    case "40001":
    case "40P01":
      return unreachable(address, `ended a request for the sake of another one ${code}`);
    case "XX001":
    case "XX002":
      return lastingAnswer(
        address,
        `has damaged files ${code}`,
        "look at the server's log, and restore the database from a backup",
      );
  }
  if (/^(?:08|53|57|58)/.test(state)) return unreachable(address, `failed to answer ${code}`);
  return lastingAnswer(
    address,
    `has something in its schema \`${target.schema}\` that csp did not make ${code}`,
    "name a schema of csp's own with `?schema=` in the address",
  );
}

const actions: Readonly<Record<FailureContext["need"], string>> = {
  read: "be read",
  write: "be written",
  delete: "delete",
  create: "make its tables",
};

function grants({ need, target }: FailureContext): string {
  const role = `"${shown(target.user)}"`;
  const { schema } = target;
  const usage = `grant usage on schema ${schema} to ${role}`;
  switch (need) {
    case "read":
      return `the owner may run \`${usage}; grant select on all tables in schema ${schema} to ${role}\``;
    case "write":
      return `the owner may run \`${usage}; grant select, insert on ${schema}.blob to ${role}; grant select, insert, update on ${schema}.root to ${role}; grant select on ${schema}.meta to ${role}\``;
    case "delete":
      return `the owner may run \`grant delete on ${schema}.blob to ${role}\``;
    case "create":
      return `publish once as a role that may create schemas in the database, or run \`grant create on database "${shown(target.database)}" to ${role}\``;
  }
}

/** Names come from the user, and stand in messages without what would end a quotation. */
function shown(name: string): string {
  return name.replace(/["`]/g, "");
}
