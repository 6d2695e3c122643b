/** The root in Postgres: one row, changed by a statement that names the version it replaces. */
import { rootLimits } from "../../core/store-root.ts";
import { badAnswer } from "../failures.ts";
import { type Root, type RootState, randomNonce, type Version } from "../store.ts";
import type { PostgresClient } from "./client.ts";
import { isAbsent } from "./failures.ts";
import { checkFormat } from "./schema.ts";

/**
 * How often a reader that waits looks again. Being notified would need a session of its own, which poolers and standbys do not
 * give.
 */
const lookEveryMs = 1000;

/** `ended` ends waiting; the next request then says why. */
export function createPostgresRoot(client: PostgresClient, ended: AbortSignal): Root {
  return {
    async read(known, { wait = 0 } = {}) {
      const until = performance.now() + wait;
      for (;;) {
        const state = await look(client, known);
        const left = until - performance.now();
        if (state !== "unchanged" || left <= 0) return state;
        await pause(Math.min(left, lookEveryMs), ended);
      }
    },

    async swap(expected, text) {
      await client.prepareToWrite();
      const { root } = client.tables;
      const next = await versionAfter(expected);
      return await client.use("write", async ({ sql }) => {
        const changed: { count: number } =
          expected === undefined
            ? await sql.unsafe(`insert into ${root} (version, text) values ($1, $2) on conflict do nothing`, [
                next,
                text,
              ])
            : await sql.unsafe(`update ${root} set version = $1, text = $2 where version = $3`, [next, text, expected]);
        return changed.count === 1 ? next : undefined;
      });
    },
  };
}

/** Format and root in one request; the text comes only where it is another one than the reader knows. */
async function look(client: PostgresClient, known: Version | undefined): Promise<RootState | "unchanged" | undefined> {
  const { address, tables } = client;
  const rows = await client.use("read", async ({ sql }): Promise<readonly unknown[]> => {
    const wanted = `r.version is distinct from $1 and octet_length(r.text) <= ${rootLimits.characters}`;
    const columns = `m.format, r.version, case when ${wanted} then r.text end as text`;
    try {
      return await sql.unsafe(`select ${columns} from ${tables.meta} m left join ${tables.root} r on true limit 2`, [
        known ?? "",
      ]);
    } catch (error) {
      if (isAbsent(error)) return [undefined];
      throw error;
    }
  });
  if (rows.length === 1 && rows[0] === undefined) return undefined;
  checkFormat(rows, address);
  client.seen();
  const { version, text } = rows[0] as { version: unknown; text: unknown };
  if (version === null) return undefined;
  if (typeof version !== "string" || !/^[\x21-\x7e]{1,200}$/.test(version)) {
    throw badAnswer(address, "has a root whose version is none");
  }
  if (version === known) return "unchanged";
  if (typeof text !== "string") throw badAnswer(address, "has a root without a text, or with one that is too long");
  return { version, text };
}

/** A number, for people, and a random part: also after the database was restored from a backup no version comes twice. */
async function versionAfter(expected: Version | undefined): Promise<Version> {
  const [, serial = "0"] = /^(\d{1,15})\./.exec(expected ?? "") ?? [];
  return `${Number(serial) + 1}.${await randomNonce()}`;
}

function pause(ms: number, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      ended.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (ended.aborted) done();
    else ended.addEventListener("abort", done);
  });
}
