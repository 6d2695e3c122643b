/** Writing a first allowlist. */
import { basename } from "node:path";
import { type NewAllowlist, newAllowlist } from "../core/allowlist-new.ts";
import { CspError } from "../core/errors.ts";
import type { Context } from "./context.ts";
import { applyEdits, type FileEdit } from "./project.ts";
import { readText } from "./text.ts";

/** Plans the file. Throws CSP_ALLOWLIST_EXISTS where there is one: it is never overwritten. */
export function planInit(ctx: Context, options: NewAllowlist): FileEdit {
  const path = ctx.project.allowlist;
  if (readText(path) !== undefined) {
    throw new CspError("CSP_ALLOWLIST_EXISTS", {
      message: `\`${basename(path)}\` is already there`,
      details: [path],
      hint: "edit it, or run `csp add <package>`",
    });
  }
  return { path, before: undefined, after: newAllowlist(options) };
}

/** Writes it. */
export function applyInit(edit: FileEdit): void {
  applyEdits([edit]);
}
