/** The stores that a command works with: what the user names, else what the allowlist names. */
import type { Allowlist } from "../core/allowlist.ts";
import { CspError, isCspError } from "../core/errors.ts";
import { openStore } from "../store/open.ts";
import { ordered } from "../store/ordered.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import { readAllowlist } from "./project.ts";
import { absoluteAddress } from "./store-address.ts";

/** The addresses in the order they are read; the first is the one that is written. */
export function storeAddresses(ctx: Pick<Context, "stores" | "project">, allowlisted: readonly string[]): string[] {
  if (ctx.stores.length > 0) return [...ctx.stores];
  return allowlisted.map((address) => absoluteAddress(address, ctx.project.directory));
}

/** Opens them as one store. Throws CSP_STORE_NONE where there is none. */
export async function openStores(ctx: Context, allowlisted: readonly string[]): Promise<Store> {
  const stores = await openEach(ctx, allowlisted);
  return stores.length === 1 ? stores[0] : ordered(stores);
}

/** Opens them one by one; the first is the one that is written. Throws CSP_STORE_NONE where there is none. */
export async function openEach(ctx: Context, allowlisted: readonly string[]): Promise<[Store, ...Store[]]> {
  const addresses = storeAddresses(ctx, allowlisted);
  const [first, ...others] = await Promise.all(addresses.map((address) => open(ctx, address)));
  if (first !== undefined) return [first, ...others];
  throw new CspError("CSP_STORE_NONE", {
    message: "no store is configured",
    hint: "name one with `--store <address>`, in CSP_STORE, or as `store:` in the allowlist",
  });
}

/** One store by its absolute address. */
export function open(ctx: Context, address: string): Promise<Store> {
  return openStore(address, {
    env: ctx.env,
    home: ctx.home,
    userAgent: `csp/${ctx.version}`,
    signal: ctx.signal,
  });
}

/** The stores that the project or the user names, as one. Hosts have no allowlist. */
export async function openConfigured(ctx: Context): Promise<Store> {
  return openStores(ctx, ctx.stores.length > 0 ? [] : (readSettings(ctx)?.stores ?? []));
}

/** The allowlist, where there is one. Throws CSP_ALLOWLIST_INVALID. */
export function readSettings(ctx: Pick<Context, "project">): Allowlist | undefined {
  try {
    return readAllowlist(ctx.project).allowlist;
  } catch (error) {
    if (isCspError(error, "CSP_ALLOWLIST_MISSING")) return undefined;
    throw error;
  }
}
