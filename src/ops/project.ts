/** The two files of a project: reading them, comparing them, replacing them together. */
import { rmSync, statSync } from "node:fs";
import { basename } from "node:path";
import { type Allowlist, parseAllowlist } from "../core/allowlist.ts";
import { CspError } from "../core/errors.ts";
import { type Lockfile, parseLockfile } from "../core/lockfile.ts";
import { replaceFile } from "../fs/durable.ts";
import type { Context, Project } from "./context.ts";
import { readText } from "./text.ts";

/** A file to be written, and what it held when it was read; undefined for a file that was not there. */
export interface FileEdit {
  path: string;
  before: string | undefined;
  after: string;
}

export interface ReadAllowlist {
  text: string;
  allowlist: Allowlist;
}

export interface ReadLockfile {
  text: string;
  lockfile: Lockfile;
}

/** Reads the allowlist; what `known` holds is used again where the text is still the same. Throws CSP_ALLOWLIST_MISSING or CSP_ALLOWLIST_INVALID. */
export function readAllowlist(project: Project, known?: ReadAllowlist): ReadAllowlist {
  const text = readText(project.allowlist);
  if (text !== undefined && text === known?.text) return known;
  if (text === undefined) {
    throw new CspError("CSP_ALLOWLIST_MISSING", {
      message: `there is no \`${basename(project.allowlist)}\` in ${project.directory}`,
      hint: "run `csp init` to write one, or say where it is with `--cwd <dir>`",
    });
  }
  return { text, allowlist: parseAllowlist(text, basename(project.allowlist)) };
}

/** Reads the lockfile, if there is one; like `readAllowlist`. Throws CSP_LOCKFILE_INVALID or CSP_LOCKFILE_NEWER. */
export function readLockfile(project: Project, known?: ReadLockfile): ReadLockfile | undefined {
  const text = readText(project.lockfile);
  if (text !== undefined && text === known?.text) return known;
  return text === undefined ? undefined : { text, lockfile: parseLockfile(text, basename(project.lockfile)) };
}

/**
 * Replaces files one after the other, each atomically. Throws CSP_CHANGED_MEANWHILE before the first write where one of
 * them is not what was read; puts back what it wrote where a later one fails. Returns an undo for failures that follow.
 */
export function applyEdits(edits: readonly FileEdit[]): () => void {
  const changing = edits.filter((edit) => edit.before !== edit.after);
  for (const { path, before } of changing) {
    if (readText(path) !== before) {
      throw new CspError("CSP_CHANGED_MEANWHILE", {
        message: `\`${basename(path)}\` was changed by somebody else meanwhile`,
        hint: "run the command again",
      });
    }
  }
  const begun: FileEdit[] = [];
  const undo = (): void => {
    for (const { path, before } of begun.splice(0).reverse()) {
      if (readText(path) === before) continue;
      if (before === undefined) rmSync(path, { force: true });
      else replaceFile(path, Buffer.from(before), { mode: modeOf(path) });
    }
  };
  try {
    for (const edit of changing) {
      // Also one that fails may have its new content: what fails last is making it durable.
      begun.push(edit);
      replaceFile(edit.path, Buffer.from(edit.after), { mode: modeOf(edit.path) });
    }
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}

/** A project file keeps its mode; a new one can be read by everybody, as version control will have it. */
function modeOf(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.mode ?? 0o644) & 0o777;
}

/** Names of the project's files as messages show them. */
export function fileNames(ctx: Context): { allowlist: string; lockfile: string } {
  return { allowlist: basename(ctx.project.allowlist), lockfile: basename(ctx.project.lockfile) };
}
