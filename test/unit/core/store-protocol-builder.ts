/** Roots of stores for tests of the transitions: keys by a letter, whole publications, nothing that could not be written. */
import { type StoreKey, storeKey } from "../../../src/core/store-key.ts";
import {
  beginIntent,
  type Claim,
  commitPublish,
  emptyRoot,
  isRefusal,
  type References,
  type Refusal,
} from "../../../src/core/store-protocol.ts";
import type { CollectionPlan } from "../../../src/core/store-protocol-collect.ts";
import { formatStoreRoot, type Release, type StoreRoot } from "../../../src/core/store-root.ts";

export const digest = (seed: string): string => seed.repeat(128);
export const blob = (seed: string, nonce = "0"): StoreKey =>
  storeKey({ kind: "blobs", digest: digest(seed), nonce: nonce.repeat(32) });
export const objectKey = (seed: string): StoreKey =>
  storeKey({ kind: "releases", digest: digest(seed), nonce: "0".repeat(32) });
export const id = (seed: string): string => seed.repeat(32);
export const hash = (seed: string): string => seed.repeat(64);
export const none: Claim = { bases: [], reused: [], fresh: [] };
export const empty = emptyRoot(id("f"));

/** The root of a transition that must succeed, written and read on the way. */
export function ok(outcome: StoreRoot | { refused: string }): StoreRoot {
  if ("refused" in outcome) throw new Error(`refused: ${JSON.stringify(outcome)}`);
  formatStoreRoot(outcome);
  return outcome;
}

export function plan(outcome: CollectionPlan | Refusal): CollectionPlan {
  if (isRefusal(outcome)) throw new Error(`refused: ${JSON.stringify(outcome)}`);
  if (outcome.root.generation > 0) formatStoreRoot(outcome.root);
  return outcome;
}

export function release(object: StoreKey, at = 1): Release {
  return { object, size: 10, at, by: "ada@ci", reason: null, blobs: 1, bytes: 5, platforms: [] };
}

interface Publication {
  root?: StoreRoot;
  /** Letter of the hash and the object. */
  name: string;
  as?: string;
  blobs: readonly StoreKey[];
  bases?: readonly StoreKey[];
  channel?: string;
  at?: number;
  references?: References;
}

/** One whole publication. */
export function publish({
  root = empty,
  name,
  as = name,
  blobs,
  bases = [],
  channel = "stable",
  at = 1,
  references = new Map(),
}: Publication): StoreRoot {
  const object = objectKey(as);
  const claim = { bases, reused: [], fresh: [...blobs, object] };
  const begun = ok(beginIntent(root, { id: id(as), purpose: "publish", claim, at, by: "ada@ci" }));
  const facts = { id: id(as), hash: hash(name), channel, reason: null, references, at, by: "ada@ci" };
  return ok(commitPublish(begun, { ...facts, release: release(object, at), keys: blobs }));
}

export const published = publish({ name: "1", blobs: [blob("a"), blob("b")] });
export const references: References = new Map([
  [objectKey("1"), [blob("a"), blob("b")]],
  [objectKey("2"), [blob("b"), blob("c")]],
  [objectKey("3"), [blob("d")]],
  [objectKey("4"), [blob("b")]],
]);
