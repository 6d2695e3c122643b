/** What an instance has beside its package's files: its description and the links to its dependencies. */
import { lstatSync, readFileSync } from "node:fs";
import type { LinkPlan } from "../core/tree-plan.ts";
import type { Archive } from "./check-archive.ts";
import type { OpenCopy } from "./check-copy.ts";
import { judgeEntries, judgeMode, openFolder } from "./check-folder.ts";
import type { EntryType } from "./check-walk.ts";
import type { Findings, Thing } from "./finding.ts";
import { type InstanceFacts, type InstanceSize, instanceText } from "./instance-description.ts";

export interface InstanceTarget {
  thing: Thing;
  /** The instance's folder, absolute. */
  folder: string;
  /** What it must be; all of its links, also those among the package's files. */
  facts: InstanceFacts;
}

/** Where the package's files are, relative to the instance. */
export function packageIn({ name }: InstanceFacts): string {
  return `node_modules/${name}`;
}

/** Links among the package's files, relative to the package. */
export function innerLinks(facts: InstanceFacts): LinkPlan[] {
  const prefix = `${packageIn(facts)}/`;
  return facts.links.flatMap(({ path, target }) =>
    path.startsWith(prefix) ? [{ path: path.slice(prefix.length), target }] : [],
  );
}

/** Judges all but the package's files; false, with a finding, where the instance is not there. */
export function judgeInstance(target: InstanceTarget, findings: Findings): boolean {
  const { thing, folder, facts } = target;
  const inside = packageIn(facts);
  const open = openFolder(thing, folder, [inside], findings);
  if (open === undefined) return false;
  const entries = new Map<string, EntryType>([["instance.json", "file"]]);
  const links = new Map<string, string>();
  for (const { path, target: to } of facts.links) {
    if (path.startsWith(`${inside}/`)) continue;
    entries.set(path, "link");
    links.set(path, to);
  }
  judgeEntries(open, { entries, links, isKnown: undefined, unknownBelow: undefined }, findings);
  return true;
}

/**
 * The very text of a description; sizes may be left out of it. Without an archive they are compared with the files that
 * are there. `copy` is undefined where the package's folder is missing.
 */
export function judgeDescription(
  target: InstanceTarget,
  copy: OpenCopy | undefined,
  archive: Archive | undefined,
  findings: Findings,
): void {
  const { thing, folder, facts } = target;
  const at = `${folder}/instance.json`;
  try {
    const stat = lstatSync(at, { throwIfNoEntry: false });
    // Told already.
    if (!stat?.isFile()) return;
    judgeMode(stat.mode & 0o7777, [0o444], thing, at, findings);
    const text = readFileSync(at, "utf8");
    const sizes = archive === undefined ? sizeIn(text) : sizeOf(archive);
    if (text !== instanceText(facts, sizes) && text !== instanceText(facts, undefined)) {
      findings.add("corrupt", thing, at, "description", "does not describe this package");
    } else if (archive === undefined && sizes !== undefined && copy?.walk.blind.length === 0) {
      const found = countFiles(copy);
      if (found.files === sizes.files && found.bytes === sizes.bytes) return;
      const message = `holds ${found.files} files with ${found.bytes} bytes instead of ${sizes.files} with ${sizes.bytes}`;
      findings.add("corrupt", thing, copy.path, "size", message);
    }
  } catch (error) {
    findings.addError(error, thing, at);
  }
}

function sizeOf({ files }: Archive): InstanceSize {
  let bytes = 0;
  for (const { size } of files.values()) bytes += size;
  return { files: files.size, bytes };
}

function sizeIn(text: string): InstanceSize | undefined {
  const match = /,"files":(\d{1,15}),"bytes":(\d{1,15}),/.exec(text);
  return match === null ? undefined : { files: Number(match[1]), bytes: Number(match[2]) };
}

function countFiles({ path: folder, walk }: OpenCopy): InstanceSize {
  const total = { files: 0, bytes: 0 };
  for (const [path, type] of walk.entries) {
    if (type !== "file") continue;
    total.files++;
    total.bytes += lstatSync(`${folder}/${path}`, { throwIfNoEntry: false })?.size ?? 0;
  }
  return total;
}
