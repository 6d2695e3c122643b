/** Damage to what a host keeps: one thing at a time, of the kinds that disks and people do. */
import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import type { Random } from "../support/random.ts";

/** Spoils one random thing below the folder of `current` and says what; undefined where there is nothing to spoil. */
export function spoil(root: string, random: Random): string | undefined {
  const kind = random.weighted({ file: 6, blob: 2, link: 2, extra: 1, current: 1 });
  switch (kind) {
    case "file":
      return spoilFile(root, pick(random, filesIn(join(root, "packages/v1"))), random);
    case "blob":
      return spoilFile(root, pick(random, filesIn(join(root, "cache/v1"))), random);
    case "link":
      return spoilLink(root, pick(random, linksIn(join(root, "trees"))), random);
    case "extra": {
      const beside = pick(
        random,
        filesIn(join(root, "packages/v1")).filter((path) => basename(path) === "index.js"),
      );
      if (beside === undefined) return undefined;
      const path = join(dirname(beside), "extra.js");
      if (lstatSync(path, { throwIfNoEntry: false })) return undefined;
      openUp(dirname(path), () => writeFileSync(path, "extra\n"));
      return `added ${relative(root, path)}`;
    }
    case "current":
      if (!lstatSync(join(root, "current"), { throwIfNoEntry: false })) return undefined;
      unlinkSync(join(root, "current"));
      return "removed current";
  }
}

function spoilFile(root: string, path: string | undefined, random: Random): string | undefined {
  if (path === undefined) return undefined;
  const { mode, size } = lstatSync(path);
  const how = size === 0 ? "removed" : random.pick(["flipped a bit of", "cut off", "zeroed", "removed"]);
  openUp(dirname(path), () => {
    if (how === "removed") {
      unlinkSync(path);
      return;
    }
    chmodSync(path, 0o644);
    if (how === "cut off") truncateSync(path, random.below(size));
    else {
      const bytes = readFileSync(path);
      const at = random.below(size);
      if (how === "zeroed") bytes.fill(0);
      else bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      writeFileSync(path, bytes);
    }
    chmodSync(path, mode & 0o7777);
  });
  return `${how} ${relative(root, path)}`;
}

function spoilLink(root: string, path: string | undefined, random: Random): string | undefined {
  if (path === undefined) return undefined;
  const swapped = random.chance(0.5);
  openUp(dirname(path), () => {
    rmSync(path);
    if (swapped) symlinkSync("../../..", path);
  });
  return `${swapped ? "swapped" : "removed"} ${relative(root, path)}`;
}

/** Folders of packages and trees are read-only, which binds all but root. */
function openUp(folder: string, action: () => void): void {
  const { mode } = lstatSync(folder);
  chmodSync(folder, 0o755);
  try {
    action();
  } finally {
    chmodSync(folder, mode & 0o7777);
  }
}

function pick(random: Random, paths: readonly string[]): string | undefined {
  return paths.length === 0 ? undefined : random.pick(paths);
}

/** Sorted, so that a seed means the same again. */
function filesIn(folder: string): string[] {
  return entries(folder).flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []));
}

/** Links of trees to packages; not those of programs. */
function linksIn(folder: string): string[] {
  return entries(folder).flatMap((entry) => (entry.isSymbolicLink() ? [join(entry.parentPath, entry.name)] : []));
}

function entries(folder: string) {
  const all = readdirSync(folder, { withFileTypes: true, recursive: true });
  return all.sort((a, b) => (join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1));
}
