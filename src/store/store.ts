/**
 * The contract of every store: immutable objects by key, and one small mutable root that only changes by
 * compare-and-swap. Kinds and wrappers pass the same suite, test/unit/store/conformance.ts.
 */
import type { StoreKey } from "../core/store-key.ts";

export interface StoredObject {
  key: StoreKey;
  /** Bytes. */
  size: number;
}

/** Immutable objects. All methods may be called at once, as often as the caller likes; the caller bounds how many. */
export interface Blobs {
  /** Size in bytes, or undefined where the store has no such object. */
  size(key: StoreKey): Promise<number | undefined>;
  /**
   * The whole object, in an ArrayBuffer of its own (so it can be transferred to a worker). Not compared with the digest in
   * the key: the `verified` wrapper does that. Throws CSP_STORE_MISSING, or CSP_STORE_ANSWER where it is longer than
   * `maxBytes`, before the rest is read.
   */
  get(key: StoreKey, limit: { maxBytes: number }): Promise<Uint8Array>;
  /** Idempotent, and never visible half. Where the key exists its bytes stay as they are. Durable once it returns. */
  put(key: StoreKey, bytes: Uint8Array): Promise<void>;
  /** All objects, in pages of any size and order; one that was there all along is listed. Names that are no keys are left out. */
  list(): AsyncIterable<readonly StoredObject[]>;
  /** Deleting what is absent succeeds. */
  delete(key: StoreKey): Promise<void>;
}

/** What the store calls one state of the root; opaque to all but the kind that made it. At most 200 printable characters. */
export type Version = string;

export interface RootState {
  version: Version;
  text: string;
}

export interface Root {
  /**
   * The root; undefined where the store has none yet; "unchanged" where it still has the version `known`, for the price of one
   * small request. With `wait` a kind that can be told of changes returns "unchanged" only after that many milliseconds;
   * others return at once.
   */
  read(known?: Version, options?: { wait?: number }): Promise<RootState | "unchanged" | undefined>;
  /**
   * Replaces the version `expected` (undefined: no root yet) by `text`, durably. Gives the new version, or undefined where
   * somebody else was first and nothing changed. After an error it may have happened or not: read again.
   */
  swap(expected: Version | undefined, text: string): Promise<Version | undefined>;
}

/** What can be done here, found out by trying where no documentation can be trusted. */
export interface Capabilities {
  /** "many": compare-and-swap holds between writers. "one": a single writer must be ensured from outside. "none": read-only. */
  writers: "many" | "one" | "none";
  /** Why it is not "many", for people; absent where it is. */
  why?: string;
}

export interface Store {
  kind: "memory" | "file" | "s3" | "postgres" | "http" | "oci" | "bundle";
  /** The address without credentials, for messages. */
  address: string;
  blobs: Blobs;
  root: Root;
  /** Tried at first use and remembered. Throws what the store's requests throw. */
  capabilities(): Promise<Capabilities>;
  /**
   * The last part of a new key for these bytes. Most kinds draw a random one and never look at the bytes; one whose objects
   * are named by their contents derives it.
   */
  nonce(bytes: () => Promise<Uint8Array>): Promise<string>;
  /** Ends connections; the store is not used after. */
  close(): Promise<void>;
}

/** 32 hexadecimal characters that nobody drew before. */
export async function randomNonce(): Promise<string> {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
}

/** What stores are given of the outside world. */
export interface StoreOptions {
  /** For credentials and proxies, as the users of each kind expect them. */
  env: Readonly<Record<string, string | undefined>>;
  /** Home folder, for credential files. */
  home: string | undefined;
  userAgent: string;
  /** Ends all requests; they then throw its reason. */
  signal?: AbortSignal;
  /** Default: 30 s of silence, 10 minutes for one request with its body. */
  timeouts?: { idleMs: number; totalMs: number };
}
