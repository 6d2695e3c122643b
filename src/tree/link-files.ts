/** Giving a folder the files of another by hard links. */
import { existsSync, linkSync, mkdirSync, readdirSync } from "node:fs";

/**
 * Gives `destination` the files and folders of `source` by hard links and says how many files. The symlinks that an
 * instance keeps inside its own package, and folders that hold nothing else, are no part of the package.
 */
export function linkFiles(source: string, destination: string): number {
  let files = 0;
  let entries = 0;
  let made = false;
  const make = (): void => {
    if (!made) mkdirSync(destination, { recursive: true, mode: 0o755 });
    made = true;
  };
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    entries++;
    const [from, to] = [`${source}/${entry.name}`, `${destination}/${entry.name}`];
    if (entry.isFile()) {
      make();
      linkSync(from, to);
      files++;
    } else if (entry.isDirectory()) {
      files += linkFiles(from, to);
      made ||= existsSync(to);
    }
  }
  if (entries === 0) make();
  return files;
}
