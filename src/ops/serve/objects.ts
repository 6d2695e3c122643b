/** The routes of objects: `/blobs/<digest>.<nonce>` and `/releases/<digest>.<nonce>`. */
import { createHash } from "node:crypto";
import { isCspError } from "../../core/errors.ts";
import { digestOfKey, parseStoreKey, type StoreKey } from "../../core/store-key.ts";
import { type Answer, busy, notFound, problem } from "./answer.ts";
import type { Reservation } from "./memory.ts";
import { parseRange } from "./range.ts";
import type { Asked, Served } from "./served.ts";

export async function answerObject(served: Served, asked: Asked, key: StoreKey): Promise<Answer> {
  switch (asked.method) {
    case "HEAD":
      return head(served, key);
    case "GET":
      return get(served, asked, key);
    case "PUT":
      return put(served, asked, key);
    case "DELETE":
      await served.store.blobs.delete(key);
      return { status: 204 };
  }
}

/** Objects never change, so whoever has one need not ask again; where tokens are needed, caches that others use keep out. */
function objectHeaders({ closed }: Served, key: StoreKey): Record<string, string> {
  return {
    "content-type": "application/octet-stream",
    etag: tagOf(key),
    "accept-ranges": "bytes",
    "cache-control": `${closed ? "private" : "public"}, max-age=31536000, immutable`,
  };
}

function tagOf(key: StoreKey): string {
  return `"${parseStoreKey(key)?.nonce}"`;
}

async function head(served: Served, key: StoreKey): Promise<Answer> {
  const size = await served.store.blobs.size(key);
  if (size === undefined) return notFound();
  return { status: 200, headers: objectHeaders(served, key), length: size };
}

async function get(served: Served, asked: Asked, key: StoreKey): Promise<Answer> {
  const headers = objectHeaders(served, key);
  const known = asked.header("if-none-match");
  if (known?.split(",").some((tag) => tag.trim().replace(/^W\//, "") === tagOf(key))) return { status: 304, headers };
  const found = await read(served, key);
  if ("status" in found) return found;
  const { bytes, held } = found;
  const ifRange = asked.header("if-range");
  const range =
    ifRange === undefined || ifRange === tagOf(key) ? parseRange(asked.header("range"), bytes.byteLength) : undefined;
  if (range === "unsatisfiable") {
    held.release();
    return problem(416, "the object is shorter", { "content-range": `bytes */${bytes.byteLength}` });
  }
  if (range === undefined) return { status: 200, headers, body: bytes, release: held.release };
  const { start, end } = range;
  return {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${start}-${end - 1}/${bytes.byteLength}` },
    body: bytes.subarray(start, end),
    release: held.release,
  };
}

/** Most objects are smaller, so that they cost the store one request. */
const usualBytes = 1 << 20;
const waitForMemoryMs = 20_000;

/** The object, and the memory it takes until it is sent. A larger one is measured before it is read. */
async function read(served: Served, key: StoreKey): Promise<{ bytes: Uint8Array; held: Reservation } | Answer> {
  const { store, budget, limits } = served;
  let maxBytes = Math.min(usualBytes, limits.maxObjectBytes);
  for (let isMeasured = false; ; isMeasured = true) {
    const held = await budget.reserve(maxBytes, waitForMemoryMs);
    if (held === undefined) return busy("too many objects are on their way", 5);
    try {
      const bytes = await store.blobs.get(key, { maxBytes });
      held.shrink(bytes.byteLength);
      return { bytes, held };
    } catch (error) {
      held.release();
      if (isMeasured || !isCspError(error, "CSP_STORE_ANSWER")) throw error;
      const size = await store.blobs.size(key);
      if (size === undefined) return notFound();
      if (size <= maxBytes) throw error;
      if (size > limits.maxObjectBytes) return problem(502, "the object is larger than this server gives");
      maxBytes = size;
    }
  }
}

async function put(served: Served, asked: Asked, key: StoreKey): Promise<Answer> {
  const { store, budget, limits } = served;
  const length = lengthOf(asked);
  if (length === undefined) return problem(411, "say how long the object is");
  if (length > limits.maxObjectBytes) return problem(413, `an object has at most ${limits.maxObjectBytes} bytes`);
  const held = await budget.reserve(length, waitForMemoryMs);
  if (held === undefined) return busy("too many objects are on their way", 5);
  try {
    const bytes = await asked.body(length);
    if (bytes === undefined) return problem(400, "the body is not whole");
    if (createHash("sha512").update(bytes).digest("hex") !== digestOfKey(key)) {
      return problem(422, "the bytes are not those that the key promises");
    }
    await store.blobs.put(key, bytes);
    return { status: 204 };
  } finally {
    held.release();
  }
}

/** Bytes of the body; undefined where they are not announced. */
export function lengthOf(asked: Asked): number | undefined {
  const text = asked.header("content-length");
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
