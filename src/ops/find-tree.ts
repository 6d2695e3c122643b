/** Trees of this host by a part of their hash, and whether one is whole. */
import { existsSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { CspError } from "../core/errors.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { readCurrent } from "../tree/current.ts";
import { listTrees, missingInstances, readTree } from "../tree/description.ts";
import { type HostPaths, treePath } from "../tree/layout.ts";

/** Fewer characters would be a slip, such as a number of steps. */
const shortest = 4;

/**
 * The one hash among `known` that begins with the prefix. Throws CSP_USAGE for what is no prefix, CSP_TREE_UNKNOWN
 * and CSP_TREE_AMBIGUOUS with what there is.
 */
export function findHash(known: readonly LockfileHash[], prefix: string, what = "tree on this host"): LockfileHash {
  const wanted = prefix.toLowerCase();
  if (!/^[0-9a-f]{1,64}$/.test(wanted) || wanted.length < shortest) {
    throw new CspError("CSP_USAGE", {
      message: `\`${prefix.slice(0, 80).replace(/[^\x20-\x7e]|`/g, "?")}\` is no beginning of a hash`,
      hint: `write ${shortest} or more of its characters, as \`csp history\` and \`csp status\` show them`,
    });
  }
  const found = known.filter((hash) => hash.startsWith(wanted));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only !== undefined) {
    throw new CspError("CSP_TREE_AMBIGUOUS", {
      message: `${found.length} hashes begin with \`${wanted}\``,
      details: found,
      hint: "write more characters",
      data: { matches: found },
    });
  }
  throw new CspError("CSP_TREE_UNKNOWN", {
    message: `no ${what} has a hash that begins with \`${wanted.slice(0, 16)}\``,
    details: known.map((hash) => hash.slice(0, 12)),
    hint: "see `csp history`, or install that lockfile again",
    data: { known },
  });
}

/** `findHash` among the trees that are here. */
export function findTree(paths: HostPaths, prefix: string): LockfileHash {
  return findHash(listTrees(paths), prefix);
}

/** The current tree's hash. Throws CSP_NOT_INSTALLED. */
export function requireCurrentHash(paths: HostPaths): LockfileHash {
  const current = readCurrent(paths);
  if (current !== undefined) return current;
  throw new CspError("CSP_NOT_INSTALLED", {
    message: "this host has no current tree",
    details: [paths.root],
    hint: "run `csp install`",
  });
}

/**
 * Throws CSP_TREE_INCOMPLETE where something is missing that scripts on this tree would need: the tree, one of its
 * links, or a package. What the packages hold is for `csp verify` to say.
 */
export function requireComplete(paths: HostPaths, hash: LockfileHash): void {
  const tree = readTree(paths, hash);
  const name = hash.slice(0, 12);
  if (tree === undefined) throw incomplete(hash, `tree \`${name}\` is not on this host`, [treePath(paths, hash)]);
  const missing = missingInstances(paths, tree.instances);
  if (missing.length > 0) {
    const shown = missing.length > 5 ? [...missing.slice(0, 5), `and ${missing.length - 5} more`] : missing;
    throw incomplete(hash, `tree \`${name}\` lacks ${missing.length} of its ${tree.instances.length} packages`, shown);
  }
  const folder = treePath(paths, hash);
  const astray = tree.links.filter(({ path, target }) => linkTarget(`${folder}/${path}`) !== target);
  // A hoisted tree has its packages' folders in place of links to them.
  const hoisted = tree.linker === "hoisted" ? tree.roots : [];
  const gone = hoisted.filter((root) => !existsSync(join(folder, "node_modules", root.name)));
  if (astray.length === 0 && gone.length === 0) return;
  const places = new Set([...astray.map(({ path }) => path), ...gone.map((root) => `node_modules/${root.name}`)]);
  throw incomplete(hash, `tree \`${name}\` has places that are missing or lead elsewhere`, [...places].slice(0, 5));
}

function incomplete(hash: LockfileHash, message: string, details: readonly string[]): CspError {
  return new CspError("CSP_TREE_INCOMPLETE", {
    message,
    details,
    hint: "see `csp history` for another one, or install that lockfile again",
    data: { hash },
  });
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
