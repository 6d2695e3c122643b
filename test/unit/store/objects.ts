/** Objects for the tests of stores. */
import { expect } from "bun:test";
import { type ObjectKind, type StoreKey, storeKey } from "../../../src/core/store-key.ts";
import type { Store, StoredObject } from "../../../src/store/store.ts";

/** Bytes that repeat nowhere soon and are the same for the same seed; every value from 0 to 255 is among the first 2,000. */
export function bytesOf(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state >>> 0;
  }
  return new Uint8Array(words.buffer).slice(0, length);
}

/** A key for these bytes that was never used. */
export async function newKey(store: Store, bytes: Uint8Array, kind: ObjectKind = "blobs"): Promise<StoreKey> {
  return storeKey({ kind, digest: digestOf(bytes), nonce: await store.nonce(async () => bytes) });
}

export function digestOf(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha512").update(bytes).digest("hex");
}

/** Puts the bytes under a new key and gives the key. */
export async function putNew(store: Store, bytes: Uint8Array, kind: ObjectKind = "blobs"): Promise<StoreKey> {
  const key = await newKey(store, bytes, kind);
  await store.blobs.put(key, bytes);
  return key;
}

/** Puts so many small objects, a few at a time, each of another length and with other bytes. Gives sizes by key. */
export async function putMany(store: Store, count: number, seed = 1): Promise<Map<StoreKey, number>> {
  const sizes = new Map<StoreKey, number>();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const bytes = bytesOf(8 + (next % 50), seed * 100_000 + next++);
      sizes.set(await putNew(store, bytes), bytes.byteLength);
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  return sizes;
}

/** All that the store lists. Later entries of one key win; that they do not contradict each other is checked. */
export async function listed(store: Store): Promise<Map<StoreKey, number>> {
  const sizes = new Map<StoreKey, number>();
  for await (const page of store.blobs.list()) addPage(sizes, page);
  return sizes;
}

export function addPage(sizes: Map<StoreKey, number>, page: readonly StoredObject[]): void {
  for (const { key, size } of page) {
    expect(sizes.get(key) ?? size).toBe(size);
    sizes.set(key, size);
  }
}

/** Compares without printing megabytes. */
export function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.byteLength).toBe(expected.byteLength);
  expect(Buffer.compare(actual, expected)).toBe(0);
}

/** The code of the CspError that it must end with. */
export async function codeOf(attempt: Promise<unknown>): Promise<string> {
  const outcome = await attempt.then(
    () => "no error",
    (error: unknown) => error,
  );
  return typeof outcome === "string" ? outcome : String((outcome as { code?: unknown }).code ?? outcome);
}
