/** One copy of a package's files on disk, in an instance or in a hoisted tree, against its archive. */
import type { LinkPlan } from "../core/tree-plan.ts";
import type { Archive, ArchiveFile, Outcome } from "./check-archive.ts";
import { judgeEntries, judgeMode, type OpenFolder, openFolder, typeMessage } from "./check-folder.ts";
import { type EntryType, isBlind } from "./check-walk.ts";
import type { Findings, Thing } from "./finding.ts";

export interface CopyTarget {
  /** What a repair would replace. */
  thing: Thing;
  /** The package's own folder, absolute; all of it is looked at. */
  folder: string;
  /** Links among the package's files, relative to the folder. */
  links: readonly LinkPlan[];
  /** Paths in the folder that hold other packages. */
  skip: readonly string[];
}

/** A copy that is there. */
export interface OpenCopy extends OpenFolder {
  links: readonly LinkPlan[];
}

/** Walks a copy; undefined, with a finding, where it is not there. */
export function openCopy({ thing, folder, links, skip }: CopyTarget, findings: Findings): OpenCopy | undefined {
  const open = openFolder(thing, folder, skip, findings);
  return open === undefined ? undefined : { ...open, links };
}

/**
 * Says everything that is wrong with a copy, the one at `index` of those that the archive was compared with. Without an
 * archive only the links can be judged. `bins` are files that may be programs though neither archive nor package.json
 * says so.
 */
export function judgeCopy(
  copy: OpenCopy,
  index: number,
  archive: Archive | undefined,
  bins: ReadonlySet<string>,
  findings: Findings,
): void {
  const entries = new Map<string, EntryType>();
  if (archive !== undefined) {
    judgeFiles(copy, index, archive, bins, findings);
    for (const path of archive.folders) {
      // A folder of links may be left out where the package is linked from another instance.
      const mayLack = path === "node_modules" || path.endsWith("/node_modules");
      if (!isSkipped(copy, path) && (!mayLack || copy.walk.entries.has(path))) entries.set(path, "folder");
    }
  }
  const links = expectLinks(copy, archive, entries);
  const isKnown = archive === undefined ? undefined : (path: string): boolean => archive.files.has(path);
  judgeEntries(copy, { entries, links, isKnown, unknownBelow: archive === undefined ? "" : undefined }, findings);
}

function judgeFiles(
  copy: OpenCopy,
  index: number,
  archive: Archive,
  bins: ReadonlySet<string>,
  findings: Findings,
): void {
  const { thing, walk } = copy;
  for (const [path, file] of archive.files) {
    if (isSkipped(copy, path)) continue;
    const outcome = file.outcomes[index];
    const at = `${copy.path}/${path}`;
    if (outcome !== undefined) judgeFile(outcome, path, file, archive, bins, thing, at, findings);
    else if (!isBlind(walk, path)) {
      const found = walk.entries.get(path);
      if (found === undefined) findings.add("missing", thing, at, "absent", "is not there");
      else findings.add("corrupt", thing, at, "type", typeMessage(found, "file"));
    }
  }
}

function isSkipped({ skip }: OpenCopy, path: string): boolean {
  return skip.length > 0 && skip.some((each) => path === each || path.startsWith(`${each}/`));
}

/** A link gives way to what the archive brought. */
function expectLinks(
  { links, walk }: OpenCopy,
  archive: Archive | undefined,
  entries: Map<string, EntryType>,
): Map<string, string> {
  const targets = new Map<string, string>();
  for (const { path, target } of links) {
    const found = walk.entries.get(path);
    const isBrought =
      archive === undefined ? found === "file" || found === "folder" : archive.files.has(path) || entries.has(path);
    if (isBrought) continue;
    entries.set(path, "link");
    targets.set(path, target);
  }
  return targets;
}

function judgeFile(
  outcome: Outcome,
  path: string,
  file: ArchiveFile,
  archive: Archive,
  bins: ReadonlySet<string>,
  thing: Thing,
  at: string,
  findings: Findings,
): void {
  const error = "failed" in outcome ? outcome.failed : outcome.error;
  if (error !== undefined) findings.addError(error, thing, at);
  if ("failed" in outcome) return;
  if (outcome.problem !== undefined)
    findings.add("corrupt", thing, at, outcome.problem.reason, outcome.problem.message);
  const isProgram = file.executable || archive.programs?.has(path) === true;
  if (outcome.mode === (isProgram ? 0o555 : 0o444)) return;
  const isEither = !isProgram && (archive.programs === undefined || bins.has(path));
  judgeMode(outcome.mode, isProgram ? [0o555] : isEither ? [0o444, 0o555] : [0o444], thing, at, findings);
}
