/** The names of the immutable objects in a store. A key is used once: whoever uploads the same bytes again takes a new one. */
import type { Digest } from "./integrity.ts";

/** `blobs/<digest>.<nonce>` or `releases/<digest>.<nonce>`: a path, an object name and a part of a URL as it stands. */
export type StoreKey = string;

export type ObjectKind = "blobs" | "releases";

export interface StoreKeyParts {
  kind: ObjectKind;
  /** sha512 of the object's bytes. */
  digest: Digest;
  /** 32 or 64 lower-case hexadecimal characters. */
  nonce: string;
}

const pattern = /^(blobs|releases)\/([0-9a-f]{128})\.([0-9a-f]{32}|[0-9a-f]{64})$/;

export function storeKey({ kind, digest, nonce }: StoreKeyParts): StoreKey {
  return `${kind}/${digest}.${nonce}`;
}

/** The parts of a key; undefined for anything else, however much it looks like one. */
export function parseStoreKey(text: string): StoreKeyParts | undefined {
  const [, kind, digest, nonce] = pattern.exec(text) ?? [];
  if (kind === undefined || digest === undefined || nonce === undefined) return undefined;
  return { kind: kind as ObjectKind, digest, nonce };
}

/** The digest that a key promises. Throws on what is no key, which is a defect of the caller. */
export function digestOfKey(key: StoreKey): Digest {
  const parts = parseStoreKey(key);
  if (parts === undefined) throw new Error(`not a store key: ${key.slice(0, 200)}`);
  return parts.digest;
}
