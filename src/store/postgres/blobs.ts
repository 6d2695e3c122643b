/** Objects in Postgres: rows of at most 1 MB, put and read by one COPY each. */
import { digestOfKey, parseStoreKey, type StoreKey } from "../../core/store-key.ts";
import { badAnswer, lastingAnswer, missing } from "../failures.ts";
import type { Blobs, StoredObject } from "../store.ts";
import type { PostgresClient } from "./client.ts";
import type { Connection } from "./connections.ts";
import { decodeObject, encodeRows } from "./copy.ts";
import { corrupt, sqlState } from "./failures.ts";
import { partBytes } from "./schema.ts";

/** Characters of the longest key, and some. */
const longestKey = 250;

/** `pageSize`: how many objects a page of a listing has at most. */
export function createPostgresBlobs(client: PostgresClient, pageSize: number): Blobs {
  const { address } = client;
  const { blob } = client.tables;
  return {
    async size(key) {
      digestOfKey(key);
      const rows = await client.useIfThere("read", async ({ sql }): Promise<readonly { size: unknown }[]> => {
        return await sql.unsafe(`select size from ${blob} where key = $1 and n = 0`, [key]);
      });
      if (rows?.[0] === undefined) return undefined;
      const size = sizeOf(rows[0].size);
      if (size === undefined) throw corrupt(address, key, "a size that is none");
      return size;
    },

    async get(key, { maxBytes }) {
      digestOfKey(key);
      const bytes = await client.useIfThere("read", (connection) => readObject(client, connection, key, maxBytes));
      if (bytes === undefined) throw missing(address, key);
      return bytes;
    },

    async put(key, bytes) {
      digestOfKey(key);
      await client.prepareToWrite();
      await client.use("write", (connection) => writeObject(blob, connection, key, bytes));
    },

    async *list() {
      for (let after = ""; ; ) {
        const rows = await client.useIfThere("read", async ({ sql }): Promise<readonly Listed[]> => {
          const fits = `octet_length(key) <= ${longestKey}`;
          const query = `select key, size from ${blob} where n = 0 and key > $1 and ${fits} order by key limit ${pageSize}`;
          return await sql.unsafe(query, [after]);
        });
        if (rows === undefined || rows.length === 0) return;
        yield rows.flatMap(objectOf);
        const last = rows.at(-1)?.key;
        if (typeof last !== "string" || Buffer.compare(Buffer.from(last), Buffer.from(after)) <= 0) {
          throw badAnswer(address, "lists its objects in an order that has no end");
        }
        if (rows.length < pageSize) return;
        after = last;
      }
    },

    async delete(key) {
      digestOfKey(key);
      await client.useIfThere("delete", async ({ sql }) => {
        await sql.unsafe(`delete from ${blob} where key = $1`, [key]);
      });
    },
  };
}

interface Listed {
  key: unknown;
  size: unknown;
}

/** Names that are no keys are left out, and so are objects of no size: whoever gets one of those is told. */
function objectOf(row: Listed): StoredObject[] {
  const size = sizeOf(row.size);
  if (typeof row.key !== "string" || parseStoreKey(row.key) === undefined || size === undefined) return [];
  return [{ key: row.key, size }];
}

/** A bigint, which comes as text. */
function sizeOf(value: unknown): number | undefined {
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

/** What is wrong is thrown from here, while the connection is in use, so that one with an unread rest is closed. */
async function readObject(
  { address, tables }: PostgresClient,
  { sql, touch }: Connection,
  key: StoreKey,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const limit = Math.min(Math.floor(maxBytes), Number.MAX_SAFE_INTEGER);
  // COPY takes no parameters; a key has no character that means anything. What is beyond the limits is not even sent.
  const bytes = `case when octet_length(bytes) <= ${partBytes} then bytes end`;
  const wanted = `key = '${key}' and (n = 0 or size <= ${limit})`;
  const query = `copy (select n, size, ${bytes} from ${tables.blob} where ${wanted} order by n) to stdout (format binary)`;
  const found = await decodeObject(alive(sql.unsafe(query).readable(), touch), { partBytes, maxBytes: limit });
  if (found === undefined || found instanceof Uint8Array) return found;
  switch (found.fault) {
    case "rows":
      throw corrupt(address, key, "other rows than csp wrote");
    case "size":
      throw lastingAnswer(address, `has more than ${maxBytes} bytes under \`${key}\``);
    case "format":
      throw badAnswer(address, "answered in a way that Postgres does not");
  }
}

async function* alive(stream: AsyncIterable<Uint8Array>, touch: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    touch();
    yield chunk;
  }
}

async function writeObject(blob: string, { sql, touch }: Connection, key: StoreKey, bytes: Uint8Array): Promise<void> {
  const copy = sql.unsafe(`copy ${blob} (key, n, size, bytes) from stdin (format binary)`);
  const writer = copy.writable().getWriter();
  try {
    for (const piece of encodeRows(key, bytes, partBytes)) {
      await writer.write(piece);
      touch();
    }
    await writer.close();
    await copy;
  } catch (error) {
    // A stream that the server ended says only that it is closed; the query says why.
    const reason =
      sqlState(error) === undefined
        ? await copy.then(
            () => error,
            (why: unknown) => why,
          )
        : error;
    // The key exists, complete: another statement has put it, and nothing of this one is kept.
    if (sqlState(reason) !== "23505") throw reason;
  }
}
