/** The cheap half of whether to collect after a switch, for commands that must be quick. Imports next to nothing. */
import type { Project } from "./context.ts";
import { readText } from "./text.ts";

/** The key `auto`, as YAML writes it without escapes; a package such as `autoprefixer` is none. */
const autoKey = /(?:^|[\s{,"'])auto["']?\s*:/;

/** False where the allowlist surely does not say `gc: { auto: true }`. */
export function mayCollect(project: Project): boolean {
  try {
    return autoKey.test(readText(project.allowlist) ?? "");
  } catch {
    return false;
  }
}
