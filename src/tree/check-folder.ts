/** One folder: what should be in it against what is. */
import { readlinkSync } from "node:fs";
import { type EntryType, isBlind, type Walk, walkFolder } from "./check-walk.ts";
import type { Findings, Thing } from "./finding.ts";

/** A folder that is there. */
export interface OpenFolder {
  /** What a repair would replace. */
  thing: Thing;
  /** Absolute. */
  path: string;
  walk: Walk;
  /** Paths in it that were left out of the walk. */
  skip: readonly string[];
}

/** What should be in a folder. Folders that hold something expected are expected, too. */
export interface Expectation {
  entries: ReadonlyMap<string, EntryType>;
  /** Targets of the links among the entries. */
  links: ReadonlyMap<string, string>;
  /** True for further names that belong there and that the caller judges. */
  isKnown: ((path: string) => boolean) | undefined;
  /** A folder of which nobody knows what belongs into it; "" for the folder itself. */
  unknownBelow: string | undefined;
}

/** Walks a folder; undefined, with a finding, where it is not there. */
export function openFolder(
  thing: Thing,
  path: string,
  skip: readonly string[],
  findings: Findings,
): OpenFolder | undefined {
  let walk: ReturnType<typeof walkFolder>;
  try {
    walk = walkFolder(path, new Set(skip));
  } catch (error) {
    findings.addError(error, thing, path);
    return undefined;
  }
  if (walk === "missing") findings.add("missing", thing, path, "absent", "is not there");
  else if (walk === "no folder") findings.add("corrupt", thing, path, "type", "is no folder");
  return typeof walk === "string" ? undefined : { thing, path, walk, skip };
}

/** Says what is missing, of the wrong kind, too much, or leads elsewhere. Content is for the caller to judge. */
export function judgeEntries(open: OpenFolder, expected: Expectation, findings: Findings): void {
  const { thing, walk } = open;
  const at = (path: string): string => (path === "" ? open.path : `${open.path}/${path}`);
  for (const { path, error } of walk.blind) findings.addError(error, thing, at(path));
  for (const { path, mode } of walk.modes) {
    findings.add("corrupt", thing, at(path), "mode", `has mode ${mode.toString(8)} instead of 755`);
  }
  for (const [path, type] of expected.entries) {
    const found = walk.entries.get(path);
    if (found === type || isBlind(walk, path)) continue;
    if (found !== undefined) findings.add("corrupt", thing, at(path), "type", typeMessage(found, type));
    else findings.add("missing", thing, at(path), "absent", "is not there");
  }
  for (const [path, target] of expected.links) {
    if (walk.entries.get(path) === "link") judgeLink(at(path), target, thing, findings);
  }
  judgeExtras(open, expected, findings);
}

const words: Readonly<Record<EntryType, string>> = {
  file: "a file",
  folder: "a folder",
  link: "a link",
  other: "something else",
};

/** "is a link, not a folder". */
export function typeMessage(found: EntryType, wanted: EntryType): string {
  return `is ${words[found]}, not ${words[wanted]}`;
}

/** Whether permission bits are among those a file may have. */
export function judgeMode(
  mode: number,
  allowed: readonly number[],
  thing: Thing,
  path: string,
  findings: Findings,
): void {
  if (allowed.includes(mode)) return;
  const wanted = allowed.map((each) => each.toString(8)).join(" or ");
  findings.add("corrupt", thing, path, "mode", `has mode ${mode.toString(8)} instead of ${wanted}`);
}

function judgeLink(path: string, target: string, thing: Thing, findings: Findings): void {
  try {
    if (readlinkSync(path) !== target) findings.add("corrupt", thing, path, "target", "leads elsewhere than it should");
  } catch (error) {
    findings.addError(error, thing, path);
  }
}

/** What nothing accounts for; of a folder only its own name is told. */
function judgeExtras({ thing, path: top, walk, skip }: OpenFolder, expected: Expectation, findings: Findings): void {
  const { entries, unknownBelow, isKnown } = expected;
  if (unknownBelow === "") return;
  const parents = new Set<string>();
  for (const path of [...entries.keys(), ...skip]) {
    for (let up = above(path); up !== "" && !parents.has(up); up = above(up)) parents.add(up);
  }
  let told: string | undefined;
  for (const [path, type] of walk.entries) {
    if (isKnown?.(path) || entries.has(path) || (type === "folder" && parents.has(path))) continue;
    if (unknownBelow !== undefined && path.startsWith(`${unknownBelow}/`)) continue;
    if (told !== undefined && path.startsWith(`${told}/`)) continue;
    told = path;
    if (parents.has(path)) findings.add("corrupt", thing, `${top}/${path}`, "type", typeMessage(type, "folder"));
    else findings.add("corrupt", thing, `${top}/${path}`, "extra", "does not belong there");
  }
}

/** The folder that holds a path; "" for the top. */
function above(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
