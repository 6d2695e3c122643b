/** The cheap half of whether to collect after a switch, for commands that must be quick. Imports next to nothing. */
import type { Project } from "./context.ts";
import { readBytes } from "./text.ts";

/** False where the allowlist surely does not say `gc: { auto: true }`. */
export function mayCollect(project: Project): boolean {
  try {
    const text = readBytes(project.allowlist);
    return text !== undefined && Buffer.from(text.buffer, text.byteOffset, text.length).includes("auto");
  } catch {
    return false;
  }
}
