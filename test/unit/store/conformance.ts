/**
 * The contract of src/store/store.ts as tests. Kinds and wrappers pass it unchanged: what may differ between them is what the
 * contract leaves open, and they say it in `Traits`.
 */
import { describe, expect, test } from "bun:test";
import type { Store } from "../../../src/store/store.ts";
import { listingCases, objectCases } from "./conformance-blobs.ts";
import { raceCases, rootCases } from "./conformance-root.ts";
import { bytesOf, newKey } from "./objects.ts";

/** A fresh, empty store. */
export interface Opened {
  store: Store;
  /** Another client of the same store, with a state of its own. Closed with the rest. */
  reopen(): Promise<Store>;
  /** Puts names that are no keys where this kind keeps its objects. Absent where nobody can. */
  litter?(): Promise<void>;
  /** Closes all clients and takes the store away. */
  close(): Promise<void>;
}

/** `pageSize`: how many objects a page of a listing may have at most; a kind that does not page ignores it. */
export type Open = (options: { pageSize?: number }) => Promise<Opened>;

/** What the contract leaves to a kind. */
export interface Traits {
  /** Default "many". With "one" no case has two writers of the root at once. */
  writers?: "many" | "one";
  /** Default true. False: `delete` succeeds, and when the object goes is left to the server. */
  deletes?: boolean;
  /** Default "random". "content": derived from the bytes. */
  nonces?: "random" | "content";
}

/** Runs one case with a fresh store, which is closed however it ends. */
export type Case = (name: string, body: (opened: Opened) => Promise<void>, options?: { pageSize?: number }) => void;

const timeLimit = 60_000;

export function conformance(name: string, open: Open, traits: Traits = {}): void {
  const check: Case = (title, body, options = {}) => {
    test(
      title,
      async () => {
        const opened = await open(options);
        try {
          await body(opened);
        } finally {
          await opened.close();
        }
      },
      timeLimit,
    );
  };
  describe(`${name} is a store`, () => {
    storeCases(check, traits);
    describe("objects", () => objectCases(check, traits));
    describe("listing", () => listingCases(check, traits));
    describe("root", () => rootCases(check));
    if (traits.writers === "one") test.skip("several writers at once (one writer by contract)", () => {});
    else describe("root, several writers", () => raceCases(check));
  });
}

function storeCases(check: Case, { writers = "many", nonces = "random" }: Traits): void {
  check("says what can be done, and why not more", async ({ store }) => {
    const capabilities = await store.capabilities();
    expect(capabilities.writers).toBe(writers);
    if (writers === "many") expect(capabilities.why).toBeUndefined();
    else expect(capabilities.why).toMatch(/\w/);
    expect(await store.capabilities()).toEqual(capabilities);
    expect(await store.root.read()).toBeUndefined();
  });

  check("has an address that is one line", async ({ store }) => {
    expect(store.address).toMatch(/^[\x20-\x7e]+$/);
  });

  check("makes the last part of a key", async ({ store }) => {
    const [one, other] = [bytesOf(100, 1), bytesOf(100, 2)];
    const made = [
      await store.nonce(async () => one),
      await store.nonce(async () => one),
      await store.nonce(async () => other),
    ];
    for (const nonce of made) expect(nonce).toMatch(/^(?:[0-9a-f]{32}|[0-9a-f]{64})$/);
    expect(new Set(made).size).toBe(nonces === "random" ? 3 : 2);
    expect(made[2]).not.toBe(made[1]);
  });

  check("keeps everything for the next client", async ({ store, reopen }) => {
    const bytes = bytesOf(1000, 3);
    const key = await newKey(store, bytes);
    await store.blobs.put(key, bytes);
    const version = await store.root.swap(undefined, "{}");
    await store.close();
    const next = await reopen();
    expect(await next.blobs.get(key, { maxBytes: 1000 })).toEqual(bytes);
    expect(await next.root.read()).toEqual({ version: version as string, text: "{}" });
  });
}
