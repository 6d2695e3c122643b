/** What stands on disk, for comparisons: names, kinds, modes, link targets, contents. */
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Path below a folder to everything that can be seen of it; times and owners left out. */
export function snapshot(folder: string): Map<string, string> {
  const result = new Map<string, string>();
  for (const [path, stat] of walk(folder)) {
    const mode = (stat.mode & 0o7777n).toString(8);
    const at = join(folder, path);
    if (stat.isSymbolicLink()) result.set(path, `link ${readlinkSync(at)}`);
    else if (stat.isDirectory()) result.set(path, `folder ${mode}`);
    else result.set(path, `file ${mode} ${Bun.hash(readFileSync(at)).toString(16)}`);
  }
  return result;
}

/** Files (by inode, so that hard links count once) and the bytes in them, below several folders together. */
export function usage(folders: readonly string[]): { inodes: number; bytes: number } {
  const sizes = new Map<bigint, bigint>();
  for (const folder of folders)
    for (const [, stat] of walk(folder)) sizes.set(stat.ino, stat.isFile() ? stat.size : 0n);
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0n);
  return { inodes: sizes.size, bytes: Number(bytes) };
}

/** Everything below a folder, in byte order, links not followed. */
function* walk(folder: string, at = ""): Generator<[path: string, stat: BigIntStats]> {
  for (const name of readdirSync(join(folder, at)).sort()) {
    const path = at === "" ? name : `${at}/${name}`;
    const stat = lstatSync(join(folder, path), { bigint: true });
    yield [path, stat];
    if (stat.isDirectory()) yield* walk(folder, path);
  }
}
