/** The packages of the compatibility check: packages.json, by the name that scripts import. */
import list from "./packages.json";

export interface RealPackage {
  name: string;
  /** Exact version, or `npm:name@version` for an alias. */
  version: string;
  kinds: readonly string[];
  /** A binary of the package with arguments that make it answer and end. */
  bin?: string;
  /** The status it ends with, where that is not 0. */
  binExit?: number;
  /** Left out on hosts whose platform it does not fit. */
  optional?: boolean;
  /** Why it does less, or more, with csp than with a plain `bun install`, where it does. */
  differs?: string;
}

/** All of them, in the order of the list. */
export const realPackages: readonly RealPackage[] = Object.entries(
  list as Record<string, Omit<RealPackage, "name">>,
).map(([name, entry]) => ({ name, ...entry }));

export const runtimes = ["bun", "node"] as const;
export type RuntimeName = (typeof runtimes)[number];

/** The three ways to install; the first is the one that the others are compared with. */
export const ways = ["plain", "isolated", "hoisted"] as const;
export type Way = (typeof ways)[number];
