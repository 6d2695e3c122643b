/** One copy of a package on disk, an instance or a folder of a hoisted tree, against its archive. */
import { lstatSync, readFileSync } from "node:fs";
import type { LinkPlan } from "../core/tree-plan.ts";
import type { Archive, ArchiveFile, Outcome } from "./check-archive.ts";
import { judgeEntries, judgeMode, type OpenFolder, openFolder } from "./check-folder.ts";
import type { EntryType } from "./check-walk.ts";
import type { Findings, Thing } from "./finding.ts";
import { type InstanceFacts, type InstanceSize, instanceText } from "./instance-description.ts";

export interface CopyTarget {
  /** What a repair would replace. */
  thing: Thing;
  /** Absolute; all of it is looked at. */
  folder: string;
  /** Where the package's files stand in it; "" for the folder itself. */
  inside: string;
  /** Relative to the folder. */
  links: readonly LinkPlan[];
  /** Paths in the folder that belong to other targets. */
  skip: readonly string[];
  /** What `instance.json` must say; undefined where there is none. */
  description: InstanceFacts | undefined;
}

/** A copy that is there. */
export interface OpenCopy extends OpenFolder {
  target: CopyTarget;
  /** Where a file of the package stands in the folder; undefined where another target has that place. */
  placeOf: (path: string) => string | undefined;
}

/** Walks a copy; undefined, with a finding, where it is not there. */
export function openCopy(target: CopyTarget, findings: Findings): OpenCopy | undefined {
  const { thing, folder, inside, skip } = target;
  const open = openFolder(thing, folder, skip, findings);
  const prefix = inside === "" ? "" : `${inside}/`;
  const placeOf = (path: string): string | undefined => {
    const place = prefix + path;
    return skip.some((each) => place === each || place.startsWith(`${each}/`)) ? undefined : place;
  };
  return open === undefined ? undefined : { ...open, target, placeOf };
}

/**
 * Says everything that is wrong with a copy. Without the archive the package's own files are only counted. `bins` are
 * files that may be programs though neither archive nor package.json says so.
 */
export function judgeCopy(
  copy: OpenCopy,
  archive: Archive | undefined,
  bins: ReadonlySet<string>,
  findings: Findings,
): void {
  const { walk, thing } = copy;
  const { inside, description } = copy.target;
  const entries = new Map<string, EntryType>(inside === "" ? [] : [[inside, "folder"]]);
  if (archive !== undefined && (inside === "" || walk.entries.get(inside) === "folder")) {
    expectArchive(copy, archive, entries);
    for (const [path, file] of archive.files) {
      const outcome = file.outcomes.get(copy);
      if (outcome === undefined) continue;
      judgeFile(outcome, modesOf(path, file, archive, bins), thing, `${copy.path}/${copy.placeOf(path)}`, findings);
    }
  }
  const links = expectLinks(copy, archive, entries);
  if (description !== undefined) entries.set("instance.json", "file");
  judgeEntries(copy, { entries, links, unknownBelow: archive === undefined ? inside : undefined }, findings);
  if (description !== undefined && walk.entries.get("instance.json") === "file") {
    judgeDescription(copy, description, archive, findings);
  }
}

function expectArchive(copy: OpenCopy, archive: Archive, entries: Map<string, EntryType>): void {
  for (const path of archive.files.keys()) {
    const place = copy.placeOf(path);
    if (place !== undefined) entries.set(place, "file");
  }
  for (const path of archive.folders) {
    const place = copy.placeOf(path);
    // A folder of links may be left out where the package is linked from another instance.
    const mayLack = path === "node_modules" || path.endsWith("/node_modules");
    if (place !== undefined && (!mayLack || copy.walk.entries.has(place))) entries.set(place, "folder");
  }
}

/** Inside of the package a link gives way to what the archive brought. */
function expectLinks(
  { target, walk }: OpenCopy,
  archive: Archive | undefined,
  entries: Map<string, EntryType>,
): Map<string, string> {
  const links = new Map<string, string>();
  for (const { path, target: to } of target.links) {
    const found = walk.entries.get(path);
    const brought = archive === undefined ? found === "file" || found === "folder" : entries.has(path);
    if (brought && path.startsWith(`${target.inside}/`)) continue;
    entries.set(path, "link");
    links.set(path, to);
  }
  return links;
}

/** The modes that a file of the package may have. */
function modesOf(path: string, file: ArchiveFile, archive: Archive, bins: ReadonlySet<string>): readonly number[] {
  if (file.executable || archive.programs?.has(path)) return [0o555];
  return archive.programs === undefined || bins.has(path) ? [0o444, 0o555] : [0o444];
}

function judgeFile(outcome: Outcome, modes: readonly number[], thing: Thing, at: string, findings: Findings): void {
  const error = "failed" in outcome ? outcome.failed : outcome.error;
  if (error !== undefined) findings.addError(error, thing, at);
  if ("failed" in outcome) return;
  if (outcome.problem !== undefined) {
    findings.add("corrupt", thing, at, outcome.problem.reason, outcome.problem.message);
  }
  judgeMode(outcome.mode, modes, thing, at, findings);
}

/** The very text of a description; sizes may be left out of it, and without an archive are compared with what is there. */
function judgeDescription(
  copy: OpenCopy,
  facts: InstanceFacts,
  archive: Archive | undefined,
  findings: Findings,
): void {
  const { thing, path } = copy;
  const at = `${path}/instance.json`;
  try {
    judgeMode(lstatSync(at).mode & 0o7777, [0o444], thing, at, findings);
    const text = readFileSync(at, "utf8");
    const sizes = archive === undefined ? sizeIn(text) : sizeOf(archive);
    if (text !== instanceText(facts, sizes) && text !== instanceText(facts, undefined)) {
      findings.add("corrupt", thing, at, "description", "does not describe this package");
    } else if (archive === undefined && sizes !== undefined && copy.walk.blind.length === 0) {
      const found = countFiles(copy);
      if (found.files === sizes.files && found.bytes === sizes.bytes) return;
      const message = `holds ${found.files} files with ${found.bytes} bytes instead of ${sizes.files} with ${sizes.bytes}`;
      findings.add("corrupt", thing, `${path}/${copy.target.inside}`, "size", message);
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

function countFiles({ target, walk }: OpenCopy): InstanceSize {
  const total = { files: 0, bytes: 0 };
  for (const [path, type] of walk.entries) {
    if (type !== "file" || !path.startsWith(`${target.inside}/`)) continue;
    total.files++;
    total.bytes += lstatSync(`${target.folder}/${path}`, { throwIfNoEntry: false })?.size ?? 0;
  }
  return total;
}
