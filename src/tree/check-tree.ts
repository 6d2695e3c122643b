/** Checks a tree by itself: its lockfile copy, its description, its links. What its packages hold is checked elsewhere. */
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { InstanceId } from "../core/closure.ts";
import { isCspError } from "../core/errors.ts";
import { buildGraph } from "../core/graph.ts";
import { type Lockfile, parseLockfile } from "../core/lockfile.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { type Platform, platformName } from "../core/platform.ts";
import { type LinkPlan, planTree, type TreePlan } from "../core/tree-plan.ts";
import { osCode } from "../fs/os-error.ts";
import { judgeEntries, judgeMode, type OpenFolder, openFolder } from "./check-folder.ts";
import { isInnerPath, isInstanceId } from "./check-names.ts";
import { type EntryType, lookAt } from "./check-walk.ts";
import { descriptionFormat, type TreeDescription } from "./description.ts";
import { createFindings, type Finding, type Findings, type Thing } from "./finding.ts";
import { type HostPaths, instancePath, treePath } from "./layout.ts";
import { stampHash } from "./stamp.ts";
import { describeTree, descriptionText } from "./tree.ts";

/** What is known of a tree. */
export interface TreeFacts {
  hash: LockfileHash;
  findings: readonly Finding[];
  /** What the tree should be; undefined where no lockfile of this hash was found. */
  plan: TreePlan | undefined;
  /** A lockfile of this hash, to rebuild the tree from. */
  lockfileText: string | undefined;
  /** Instances of the tree; in the last resort those that its description names. */
  instances: readonly InstanceId[];
}

const names = { lockfile: "script-packages.lock", description: "tree.json" } as const;

/** Platforms that a tree may have been built for, by name. */
const platforms: ReadonlyMap<string, Platform> = new Map(
  ["x64", "arm64"]
    .flatMap((cpu): Platform[] => [
      { os: "linux", cpu, libc: "glibc" },
      { os: "linux", cpu, libc: "musl" },
      { os: "darwin", cpu, libc: undefined },
    ])
    .map((platform) => [platformName(platform), platform]),
);

/** Checks one tree. `spares` are texts of lockfiles, one of which may be the one whose copy is damaged. */
export function checkTree(paths: HostPaths, hash: LockfileHash, host: Platform, spares: readonly string[]): TreeFacts {
  const folder = treePath(paths, hash);
  const findings = createFindings(paths.root);
  const thing: Thing = { type: "tree", id: hash };
  const copy = readPlain(join(folder, names.lockfile));
  const noted = readPlain(join(folder, names.description));
  const said = parseDescription(noted.text, hash);
  const platform = said === undefined ? host : (platforms.get(platformName(said.platform)) ?? host);
  // Sizes and the like are not in the hash; the description tells the very text.
  const isVery = (text: string): boolean => said === undefined || said.lockfileSha256 === stampHash(text);
  const chosen = choose([...(copy.text === undefined ? [] : [copy.text]), ...spares], isVery, (text) =>
    planOf(text, hash, platform),
  );
  const facts = {
    hash,
    plan: chosen?.plan,
    lockfileText: chosen?.text,
    instances: chosen?.plan.instances.map(({ id }) => id) ?? said?.instances ?? [],
  };
  const open = openFolder(thing, folder, chosen?.plan.copies.map(({ path }) => path) ?? [], findings);
  if (open === undefined) return { ...facts, findings: findings.list };
  const expected = chosen && tryDescribe(paths, chosen);
  judgeLinks(open, chosen?.plan, expected?.links ?? said?.links ?? [], findings);
  for (const { path, error, mode } of [copy, noted]) {
    if (error !== undefined) findings.addError(error, thing, path);
    if (mode !== undefined) judgeMode(mode, [0o444], thing, path, findings);
  }
  if (copy.text !== undefined && (chosen?.text !== copy.text || !isVery(copy.text))) {
    findings.add("corrupt", thing, copy.path, "lockfile", "is not the lockfile that the tree was built from");
  }
  if (noted.text !== undefined && (expected === undefined ? said === undefined : expected.text !== noted.text)) {
    findings.add("corrupt", thing, noted.path, "description", "does not describe this tree");
  }
  return { ...facts, findings: findings.list };
}

/** The very lockfile if it is among the texts, else the first of this hash. */
function choose(
  texts: readonly string[],
  isVery: (text: string) => boolean,
  plan: (text: string) => TreePlan | undefined,
): { text: string; plan: TreePlan } | undefined {
  let first: { text: string; plan: TreePlan } | undefined;
  for (const text of texts) {
    const made = text === first?.text ? undefined : plan(text);
    if (made === undefined) continue;
    if (isVery(text)) return { text, plan: made };
    first ??= { text, plan: made };
  }
  return first;
}

/** The folder without its packages. Where the plan is unknown, what lies beside the known links is let be. */
function judgeLinks(
  open: OpenFolder,
  plan: TreePlan | undefined,
  links: readonly LinkPlan[],
  findings: Findings,
): void {
  const entries = new Map<string, EntryType>([
    [names.lockfile, "file"],
    [names.description, "file"],
    ["node_modules", "folder"],
    ...links.map(({ path }): [string, EntryType] => [path, "link"]),
  ]);
  const targets = new Map(links.map(({ path, target }) => [path, target]));
  const unknownBelow = plan === undefined ? "node_modules" : undefined;
  judgeEntries(open, { entries, links: targets, isKnown: undefined, unknownBelow }, findings);
}

interface PlainFile {
  path: string;
  text: string | undefined;
  mode: number | undefined;
  /** Why there is no text, unless the walk tells. */
  error: unknown;
}

function readPlain(path: string): PlainFile {
  try {
    if (lookAt(path) !== "file") return { path, text: undefined, mode: undefined, error: undefined };
    return { path, text: readFileSync(path, "utf8"), mode: lstatSync(path).mode & 0o7777, error: undefined };
  } catch (error) {
    return { path, text: undefined, mode: undefined, error };
  }
}

/** What the lockfile makes of the tree; undefined where it is not a lockfile of this hash. */
function planOf(text: string, hash: LockfileHash, platform: Platform): TreePlan | undefined {
  try {
    const lockfile = parseLockfile(text, names.lockfile);
    if (!isStrong(lockfile)) return undefined;
    const plan = planTree(lockfile, buildGraph(lockfile, names.lockfile), platform);
    return plan.hash === hash ? plan : undefined;
  } catch (error) {
    if (isCspError(error)) return undefined;
    throw error;
  }
}

function isStrong({ packages, foreign }: Lockfile): boolean {
  return foreign.length === 0 && [...packages.values()].every(({ integrity }) => integrity.kind === "strong");
}

/** The description that the plan means; undefined where a folder of binaries cannot be read to tell. */
function tryDescribe(
  paths: HostPaths,
  { plan, text }: { plan: TreePlan; text: string },
): { text: string; links: readonly LinkPlan[] } | undefined {
  try {
    const description = describeTree(plan, text, (id) => instancePath(paths, id));
    return { text: descriptionText(description), links: description.links };
  } catch (error) {
    if (osCode(error) === undefined) throw error;
    return undefined;
  }
}

/** What `tree.json` says, as far as a check relies on it; undefined where it is not of this tree. */
function parseDescription(text: string | undefined, hash: LockfileHash): TreeDescription | undefined {
  if (text === undefined) return undefined;
  try {
    const said = JSON.parse(text) as TreeDescription;
    const { format, platform, instances, links } = said;
    const fits =
      format === descriptionFormat &&
      said.hash === hash &&
      typeof said.lockfileSha256 === "string" &&
      typeof platform.os === "string" &&
      typeof platform.cpu === "string" &&
      instances.every((id) => isInstanceId(id)) &&
      links.every(({ path, target }) => isInnerPath(path) && typeof target === "string");
    return fits ? said : undefined;
  } catch {
    return undefined;
  }
}
