/** Reading inside the script's process, where `node:fs` is loaded only once it is needed: that takes Bun a millisecond. */

/** The text of a file, or undefined where it cannot be read. */
export function readText(file: string): string | undefined {
  try {
    return (require("node:fs") as typeof import("node:fs")).readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
