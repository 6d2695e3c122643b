/** Reading and changing the root of a store. Every change is a pure transition that is tried until it wins. */
import { CspError } from "../core/errors.ts";
import type { Refusal } from "../core/store-protocol.ts";
import type { MigrationRefusal } from "../core/store-protocol-migrate.ts";
import { formatStoreRoot, parseStoreRoot, type StoreRoot } from "../core/store-root.ts";
import type { Store, Version } from "../store/store.ts";

/** The root and the version it was read under; both undefined for a store that holds nothing yet. */
export interface ReadRoot {
  root: StoreRoot | undefined;
  version: Version | undefined;
}

type Awaitable<T> = T | Promise<T>;

/** How often somebody else may be first. */
const attempts = 30;

/** Reads the root. Throws CSP_STORE_INVALID or CSP_STORE_NEWER. */
export async function readRoot(store: Store): Promise<ReadRoot> {
  const state = await store.root.read();
  if (state === undefined || state === "unchanged") return { root: undefined, version: undefined };
  return { root: parseStoreRoot(state.text), version: state.version };
}

/**
 * Reads, makes the transition, and swaps its result in; again from the start where somebody else was first. Gives the root
 * that was swapped in, the very one that was read where the transition changes nothing, or its refusal. `transition` may run
 * often, so it has no effects but its result; it is given undefined for a store that holds nothing yet. A swap that counts as
 * refused may have been done, and undone by others since. Throws CSP_STORE_BUSY.
 */
export async function swapRoot(
  store: Store,
  transition: (root: StoreRoot | undefined) => Awaitable<StoreRoot | Refusal>,
): Promise<StoreRoot | Refusal>;
export async function swapRoot(
  store: Store,
  transition: (root: StoreRoot | undefined) => Awaitable<StoreRoot | MigrationRefusal>,
): Promise<StoreRoot | MigrationRefusal>;
export async function swapRoot(
  store: Store,
  transition: (root: StoreRoot | undefined) => Awaitable<StoreRoot | MigrationRefusal>,
): Promise<StoreRoot | MigrationRefusal> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const { root, version } = await readRoot(store);
    const next = await transition(root);
    if ("refused" in next || next === root) return next;
    if ((await store.root.swap(version, formatStoreRoot(next))) !== undefined) return next;
    await Bun.sleep(Math.min(1000, 5 * 2 ** attempt) * Math.random());
  }
  throw new CspError("CSP_STORE_BUSY", {
    message: `others changed the store \`${store.address}\` ${attempts} times while this command tried to`,
    hint: "run the command again",
    data: { store: store.address },
  });
}
