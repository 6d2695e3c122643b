/** Trying what a store allows: reading, listing, writing, deleting, and keeping writers apart. */
import { CspError, isCspError } from "../core/errors.ts";
import { storeKey } from "../core/store-key.ts";
import { parseStoreRoot } from "../core/store-root.ts";
import type { Store } from "../store/store.ts";

export interface StoreTrial {
  name: "root" | "list" | "writers" | "put" | "get" | "delete";
  ok: boolean;
  /** What was seen, or what went wrong; one line. */
  says: string;
  hint?: string;
  tookMs: number;
}

export interface StoreReport {
  kind: Store["kind"];
  trials: readonly StoreTrial[];
  /** What can be done with these credentials. */
  can: { read: boolean; publish: boolean; gc: boolean };
}

/** Tries one thing after the other. What it writes it deletes; where that fails, a collection does. */
export async function checkStore(store: Store, options: { readOnly: boolean }): Promise<StoreReport> {
  const trials: StoreTrial[] = [];
  const attempt = async (name: StoreTrial["name"], action: () => Promise<string>): Promise<boolean> => {
    const started = performance.now();
    const add = (trial: Pick<StoreTrial, "ok" | "says" | "hint">): boolean => {
      trials.push({ name, ...trial, tookMs: performance.now() - started });
      return trial.ok;
    };
    try {
      return add({ ok: true, says: await action() });
    } catch (error) {
      if (!isCspError(error)) throw error;
      return add({ ok: false, says: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) });
    }
  };

  const reads = await attempt("root", () => describeRoot(store));
  const lists = await attempt("list", () => describeListing(store));
  if (options.readOnly) return { kind: store.kind, trials, can: { read: reads, publish: false, gc: false } };
  const writers = await attempt("writers", () => describeWriters(store));
  if (!writers) return { kind: store.kind, trials, can: { read: reads, publish: false, gc: false } };
  const bytes = Buffer.from(`a trial of csp store check, ${crypto.randomUUID()}\n`);
  const digest = new Bun.CryptoHasher("sha512").update(bytes).digest("hex");
  const key = storeKey({ kind: "blobs", digest, nonce: await store.nonce(async () => bytes) });
  const puts = await attempt("put", async () => {
    await store.blobs.put(key, bytes);
    return "an object can be written";
  });
  const gets = puts && (await attempt("get", () => readBack(store, key, bytes)));
  const deletes = puts && (await attempt("delete", () => removeTrial(store, key)));
  const publish = reads && puts && gets;
  return { kind: store.kind, trials, can: { read: reads, publish, gc: publish && lists && deletes } };
}

async function describeRoot(store: Store): Promise<string> {
  const state = await store.root.read();
  if (state === undefined || state === "unchanged") return "nothing was published yet";
  const root = parseStoreRoot(state.text);
  const moved = root.moved === undefined ? "" : `, moved to ${root.moved.to}`;
  return `generation ${root.generation}, ${root.releases.size} releases in ${root.channels.size} channels${moved}`;
}

async function describeListing(store: Store): Promise<string> {
  for await (const page of store.blobs.list()) return page.length === 0 ? "no objects" : "objects can be listed";
  return "no objects";
}

async function describeWriters(store: Store): Promise<string> {
  const { writers, why } = await store.capabilities();
  if (writers === "many") return "any number of writers are kept apart";
  if (writers === "one") return `one writer at a time${why === undefined ? "" : `: ${why}`}`;
  throw new CspError("CSP_STORE_READ_ONLY", { message: `it can only be read${why === undefined ? "" : `: ${why}`}` });
}

async function readBack(store: Store, key: string, bytes: Uint8Array): Promise<string> {
  const read = await store.blobs.get(key, { maxBytes: bytes.byteLength });
  if (Buffer.compare(read, bytes) === 0) return "what was written is read";
  throw new CspError("CSP_STORE_CORRUPT", { message: "what was written is not what is read" });
}

async function removeTrial(store: Store, key: string): Promise<string> {
  await store.blobs.delete(key);
  const left = await store.blobs.size(key);
  return left === undefined ? "an object can be deleted" : "deleting is left to the store's own collection";
}
