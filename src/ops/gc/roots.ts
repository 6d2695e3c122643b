/** What the collector must know before it may remove anything. Whatever cannot be read is an error, never a guess. */
import { lstatSync } from "node:fs";
import { parseAllowlist } from "../../core/allowlist.ts";
import { CspError, isCspError } from "../../core/errors.ts";
import { type GcLimits, judgeTrees, type TreeVerdict } from "../../core/gc-policy.ts";
import { earlierTrees, retirements } from "../../core/journal-story.ts";
import type { LockfileHash } from "../../core/lockfile-hash.ts";
import { quotedPath } from "../../fs/os-error.ts";
import { readCurrent } from "../../tree/current.ts";
import { listTrees, readTree, type TreeDescription } from "../../tree/description.ts";
import { type GcNotes, readGcNotes } from "../../tree/gc-notes.ts";
import { readJournal } from "../../tree/journal.ts";
import { type HostPaths, treePath } from "../../tree/layout.ts";
import { type LeaseHolders, readLeases } from "../../tree/leases.ts";
import { type Pin, readPins } from "../../tree/pins.ts";
import type { Context } from "../context.ts";
import { readAllowlist } from "../project.ts";

/** The trees of a host and how the collector sees them. */
export interface GcView {
  verdicts: readonly TreeVerdict[];
  current: LockfileHash | undefined;
  pins: readonly Pin[];
  leases: LeaseHolders;
  notes: GcNotes;
  /** Trees that the journal does not mention. */
  unmentioned: readonly LockfileHash[];
}

/** The settings that the allowlist has for collecting, or its defaults. Throws CSP_ALLOWLIST_INVALID. */
export function gcLimits(ctx: Pick<Context, "project">): GcLimits {
  try {
    return readAllowlist(ctx.project).allowlist.gc;
  } catch (error) {
    if (!isCspError(error, "CSP_ALLOWLIST_MISSING")) throw error;
    return parseAllowlist("packages: {}\n", "the defaults").gc;
  }
}

/** Throws CSP_GC_UNSURE, CSP_JOURNAL_DAMAGED or CSP_PIN_UNREADABLE where something that protects trees cannot be read. */
export function viewTrees(paths: HostPaths, limits: GcLimits, now: number): GcView {
  const present = listTrees(paths);
  const journal = readJournal(paths);
  if (journal.damage !== undefined) {
    throw new CspError("CSP_JOURNAL_DAMAGED", {
      message: `line ${journal.damage.line} of ${quotedPath(paths.journal)} cannot be trusted: ${journal.damage.why}`,
      hint: "run `csp verify --repair`; trees retired before that line then get a whole grace",
      data: { path: paths.journal, ...journal.damage },
    });
  }
  const current = requireSoundCurrent(paths, present, journal.entries.length > 0);
  const pins = readPins(paths);
  const leases = readLeases(paths, present, current);
  const notes = readGcNotes(paths);
  const retired = retirements(journal, current);
  const unmentioned = present.filter((hash) => hash !== current && !retired.has(hash));
  for (const hash of unmentioned) retired.set(hash, Math.min(notes.trees.get(hash) ?? now, now));
  const facts = {
    present,
    current,
    earlier: earlierTrees(journal.entries, current),
    pins: new Map(pins.map((pin) => [pin.hash, describePin(pin)])),
    running: new Map([...leases].map(([hash, pids]) => [hash, describeUse(pids)])),
    retired,
  };
  return { verdicts: judgeTrees(facts, limits, now), current, pins, leases, notes, unmentioned };
}

/** The description of a tree that is there. Throws CSP_GC_UNSURE where it cannot be read. */
export function requireTree(paths: HostPaths, hash: LockfileHash): TreeDescription {
  let cause: unknown;
  try {
    const tree = readTree(paths, hash);
    if (tree !== undefined && Array.isArray(tree.instances)) return tree;
  } catch (error) {
    if (!isCspError(error, "CSP_NOT_READY")) throw error;
    cause = error;
  }
  throw unsure(
    `what tree \`${hash.slice(0, 12)}\` needs cannot be read`,
    `run \`csp verify --repair\`, or remove ${quotedPath(treePath(paths, hash))} if nothing needs it`,
    cause,
  );
}

export function unsure(message: string, hint: string, cause?: unknown): CspError {
  return new CspError("CSP_GC_UNSURE", { message, hint, ...(cause === undefined ? {} : { cause }) });
}

/** `current` must lead to a tree that is here; only a host that never switched may have none. */
function requireSoundCurrent(
  paths: HostPaths,
  present: readonly LockfileHash[],
  switchedBefore: boolean,
): LockfileHash | undefined {
  const current = readCurrent(paths);
  if (current !== undefined && present.includes(current)) return current;
  const hint = "run `csp install`, or `csp use <hash>` with a tree that is here";
  if (current !== undefined) throw unsure(`the current tree \`${current.slice(0, 12)}\` is not there`, hint);
  const there = lstatSync(paths.current, { throwIfNoEntry: false });
  if (there !== undefined || (switchedBefore && present.length > 0)) {
    throw unsure(`${quotedPath(paths.current)} ${there === undefined ? "is gone" : "names no tree"}`, hint);
  }
  return undefined;
}

function describePin({ by, reason }: Pin): string {
  return `pinned by ${by}${reason === null ? "" : `: ${reason}`}`;
}

function describeUse(pids: readonly number[]): string {
  if (pids.length === 0) return "in use by a running script";
  return `in use by ${pids.length === 1 ? "process" : "processes"} ${pids.join(", ")}`;
}
