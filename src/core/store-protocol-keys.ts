/** Choosing the keys of a publication: what the store has, or may have, under keys that can still be referred to. */
import type { Digest } from "./integrity.ts";
import { parseStoreKey, type StoreKey } from "./store-key.ts";
import { completeObjects, type References } from "./store-protocol.ts";
import type { StoreRoot } from "./store-root.ts";

export interface ChosenKeys {
  /** Complete objects whose blobs are reused: those are there. */
  bases: readonly StoreKey[];
  /** By digest, out of the bases. */
  stored: ReadonlyMap<Digest, StoreKey>;
  /** By digest, out of other intents and the doomed: a look or an upload shows whether they are there. */
  reused: ReadonlyMap<Digest, StoreKey>;
  /** To be uploaded under new keys. */
  missing: readonly Digest[];
}

/**
 * Chooses from this root; a claim made of it is good for this root alone, so choose again after every reading. Releases that
 * were not read (`references`) are passed over. Those named first in `prefer` are searched first, which keeps the bases few.
 */
export function chooseKeys(
  root: StoreRoot,
  {
    wanted,
    references,
    prefer = [],
  }: { wanted: Iterable<Digest>; references: References; prefer?: readonly StoreKey[] },
): ChosenKeys {
  const open = new Set(wanted);
  const stored = new Map<Digest, StoreKey>();
  const reused = new Map<Digest, StoreKey>();
  const take = (keys: Iterable<StoreKey>, into: Map<Digest, StoreKey>): boolean => {
    const before = into.size;
    for (const key of keys) {
      const parts = parseStoreKey(key);
      if (parts?.kind === "blobs" && open.delete(parts.digest)) into.set(parts.digest, key);
    }
    return into.size > before;
  };
  const objects = new Set(completeObjects(root));
  const inOrder = new Set([...prefer.filter((object) => objects.has(object)), ...objects]);
  const bases = [...inOrder].filter((object) => open.size > 0 && take(references.get(object) ?? [], stored));
  for (const { keys } of root.intents.values()) take(keys, reused);
  take(root.doomed.keys(), reused);
  return { bases, stored, reused, missing: [...open] };
}
