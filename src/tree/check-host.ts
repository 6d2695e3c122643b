/** Checks what a host has beside trees and packages: `current`, the journal, leases; and names what else lies around. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { InstanceId } from "../core/closure.ts";
import type { Digest } from "../core/integrity.ts";
import { parseJournal } from "../core/journal.ts";
import { isSwitch } from "../core/journal-story.ts";
import { isLockfileHash, type LockfileHash } from "../core/lockfile-hash.ts";
import { printable } from "../core/tar-rules.ts";
import { lookAt } from "./check-walk.ts";
import { listTrees } from "./description.ts";
import { createFindings, type Finding, type Thing } from "./finding.ts";
import { listBlobs, listInstances } from "./inventory.ts";
import { type HostPaths, leasePath } from "./layout.ts";

/** What `current` names; with a finding where that is no tree's name. Whether the tree is there is not looked at. */
export function checkCurrent(paths: HostPaths): { hash: LockfileHash | undefined; findings: readonly Finding[] } {
  const thing: Thing = { type: "current", id: "" };
  const findings = createFindings(paths.root);
  try {
    const type = lookAt(paths.current);
    const target = type === "link" ? readlinkSync(paths.current) : "";
    const hash = target.startsWith("trees/") ? target.slice("trees/".length) : "";
    if (isLockfileHash(hash)) return { hash, findings: [] };
    if (type === undefined) findings.add("missing", thing, paths.current, "absent", "is not there");
    else if (type !== "link") findings.add("corrupt", thing, paths.current, "type", "is no link");
    else findings.add("corrupt", thing, paths.current, "target", "does not lead to a tree");
  } catch (error) {
    findings.addError(error, thing, paths.current);
  }
  return { hash: undefined, findings: findings.list };
}

/** What the journal is good for; `switchedTo` are trees that were current once, the last one last. */
export function checkJournal(paths: HostPaths): {
  switchedTo: readonly LockfileHash[];
  lastFrom: LockfileHash | undefined;
  findings: readonly Finding[];
} {
  const thing: Thing = { type: "journal", id: "" };
  const findings = createFindings(paths.root);
  try {
    const type = lookAt(paths.journal);
    if (type === undefined) return { switchedTo: [], lastFrom: undefined, findings: [] };
    if (type !== "file") findings.add("corrupt", thing, paths.journal, "type", "is no file");
    else {
      const { entries, damage } = parseJournal(readFileSync(paths.journal, "utf8"));
      if (damage !== undefined) {
        findings.add("corrupt", thing, paths.journal, "line", `is damaged in line ${damage.line}: ${damage.why}`);
      }
      const switches = entries.filter(isSwitch);
      const lastFrom = switches.at(-1)?.from ?? undefined;
      return { switchedTo: switches.map(({ to }) => to), lastFrom, findings: findings.list };
    }
  } catch (error) {
    findings.addError(error, thing, paths.journal);
  }
  return { switchedTo: [], lastFrom: undefined, findings: findings.list };
}

/** A script can only hold on to a tree that has a lease file everybody may open. */
export function checkLease(paths: HostPaths, hash: LockfileHash): readonly Finding[] {
  const thing: Thing = { type: "lease", id: hash };
  const findings = createFindings(paths.root);
  const path = leasePath(paths, hash);
  try {
    const type = lookAt(path);
    if (type === undefined) findings.add("missing", thing, path, "absent", "is not there");
    else if (type !== "file") findings.add("corrupt", thing, path, "type", "is no file");
    else {
      const mode = lstatSync(path).mode & 0o777;
      const message = `has mode ${mode.toString(8)}, so not everybody can take it`;
      if ((mode & 0o444) !== 0o444) findings.add("corrupt", thing, path, "mode", message);
    }
  } catch (error) {
    findings.addError(error, thing, path);
  }
  return findings.list;
}

/** What the host's folders hold by their names. */
export interface Inventory {
  trees: LockfileHash[];
  packages: InstanceId[];
  blobs: Digest[];
  /** What is nobody's damage: leftovers, and names that are not csp's. Sentences, for people. */
  remarks: string[];
}

/** Lists everything there is. Throws what the system refuses of the folders themselves. */
export function takeInventory(paths: HostPaths): Inventory {
  const [trees, packages] = [listTrees(paths), listInstances(paths)];
  const known = new Set<string>([...trees, ...packages]);
  const strange = [paths.trees, paths.packages].flatMap((folder) =>
    tryNamesIn(folder).flatMap((name) => (known.has(name) ? [] : [`${folder.slice(paths.root.length + 1)}/${name}`])),
  );
  const remarks = [...strange.map((path) => `${printable(path)} is none of csp's`), ...leftovers(paths)];
  return { trees, packages, blobs: listBlobs(paths), remarks };
}

/** What crashes and repairs left, for the collector to take. */
export function leftovers(paths: HostPaths): string[] {
  return ([paths.tmp, paths.quarantine, paths.runs] as const).flatMap((folder) => {
    const count = tryNamesIn(folder).length;
    const name = folder.slice(paths.root.length + 1);
    return count === 0 ? [] : [`${name} holds ${count} ${count === 1 ? "entry" : "entries"}`];
  });
}

/** Other users' leftovers may be closed to this one, and are no concern of anybody. */
function tryNamesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
