/** Building a tree in the staging area. */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, symlinkSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { byteOrder } from "../core/location.ts";
import type { BinPlan, TreePlan } from "../core/tree-plan.ts";
import { descriptionFormat, type TreeDescription } from "./description.ts";
import { linkFiles } from "./link-files.ts";
import { stampHash } from "./stamp.ts";

/**
 * Builds a whole tree in `staged`; `packageFolder` says where an instance's folder is now. The description is written
 * last, so that a tree with one is whole.
 */
export function stageTree(
  plan: TreePlan,
  lockfileText: string,
  staged: string,
  packageFolder: (id: string) => string,
): TreeDescription {
  const modules = join(staged, "node_modules");
  mkdirSync(modules, { recursive: true, mode: 0o755 });
  for (const { path, id, name } of plan.copies) {
    const to = join(staged, path);
    mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
    // What an owner brought at the place of another package, without calling it bundled, gives way to the locked one.
    rmSync(to, { recursive: true, force: true });
    linkFiles(join(packageFolder(id), "node_modules", name), to);
  }
  const description = describeTree(plan, lockfileText, packageFolder);
  stageDescribed(description, lockfileText, staged);
  return description;
}

/** Builds all of a tree but files of its own, which only hoisted trees have. */
export function stageDescribed(description: TreeDescription, lockfileText: string, staged: string): void {
  const modules = join(staged, "node_modules");
  mkdirSync(modules, { recursive: true, mode: 0o755 });
  const made = new Set([modules]);
  for (const { path, target } of description.links) addLink(join(staged, path), target, made);
  writeNew(join(staged, "script-packages.lock"), lockfileText);
  writeNew(join(staged, "tree.json"), descriptionText(description));
}

/** What `tree.json` says of a tree; `packageFolder` is asked for packages whose binaries are a whole folder. */
export function describeTree(
  plan: TreePlan,
  lockfileText: string,
  packageFolder: (id: string) => string,
): TreeDescription {
  const bins = withBinFolders(plan, packageFolder);
  const binLinks = bins.map(({ name, root, path }) => ({
    path: `node_modules/.bin/${name}`,
    target: `../${root}/${path}`,
  }));
  return {
    format: descriptionFormat,
    hash: plan.hash,
    linker: plan.linker,
    platform: plan.platform,
    roots: plan.roots,
    instances: plan.instances.map((instance) => instance.id),
    links: [...plan.links, ...binLinks],
    bins,
    skipped: plan.skipped,
    blobBytes: plan.instances.reduce((sum, { size }) => sum + (size ?? 0), 0),
    lockfileSha256: stampHash(lockfileText),
  };
}

/** The text of `tree.json`; equal values give equal bytes. */
export function descriptionText(description: TreeDescription): string {
  return `${JSON.stringify(description)}\n`;
}

/** Adds what `directories.bin` holds, now that it can be read. */
function withBinFolders(plan: TreePlan, packageFolder: (id: string) => string): BinPlan[] {
  const bins = [...plan.bins];
  const names = new Set(bins.map((bin) => bin.name));
  for (const { root, path } of plan.binFolders) {
    const owner = plan.roots.find((each) => each.name === root);
    if (owner === undefined) continue;
    const at = join(packageFolder(owner.id), "node_modules", owner.package, path);
    if (!existsSync(at)) continue;
    for (const entry of readdirSync(at, { withFileTypes: true }).sort((a, b) => byteOrder(a.name, b.name))) {
      if (!entry.isFile() || entry.name.startsWith(".") || names.has(entry.name)) continue;
      names.add(entry.name);
      bins.push({ name: entry.name, root, path: `${path.replace(/^\.\/|\/$/g, "")}/${entry.name}` });
    }
  }
  return bins;
}

function addLink(at: string, target: string, made: Set<string>): void {
  const folder = dirname(at);
  if (!made.has(folder)) {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    made.add(folder);
  }
  symlinkSync(target, at);
}

function writeNew(path: string, text: string): void {
  const bytes = Buffer.from(text);
  const fd = openSync(path, "wx", 0o444);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  } finally {
    closeSync(fd);
  }
}
