/** Time, memory and disk of commands that are not ours. */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import type { Command, Shot } from "./shot.ts";

/** Runs a command to its end. Throws, with what it said, where it fails. */
export function measure(command: Command): Shot {
  const child = Bun.spawnSync([process.execPath, join(import.meta.dir, "shot.ts")], {
    stdin: Buffer.from(JSON.stringify(command)),
    env: {},
    stderr: "inherit",
  });
  const shot = JSON.parse(child.stdout.toString()) as Shot;
  if (shot.exit !== 0) throw new Error(`${command.argv.slice(1).join(" ")} exited with ${shot.exit}:\n${shot.said}`);
  return shot;
}

/** Writes back everything that is dirty, so that one run does not pay for another's bytes. */
export function flush(): void {
  Bun.spawnSync(["sync"]);
}

/** Milliseconds until the file system that holds `dir` is on disk. */
export function timedSync(dir: string): number {
  const start = performance.now();
  Bun.spawnSync(["sync", "-f", dir]);
  return performance.now() - start;
}

/** Allocated bytes and inodes below a directory; what is hard-linked counts once. */
export function diskUsage(dir: string): { bytes: number; inodes: number } {
  const du = (...flags: string[]) => Number.parseInt(Bun.spawnSync(["du", "-s", ...flags, dir]).stdout.toString(), 10);
  return { bytes: du("--block-size=1"), inodes: du("--inodes") };
}

const fileSystems: Readonly<Record<number, string>> = {
  61267: "ext4",
  16914836: "tmpfs",
  1481003842: "xfs",
  2435016766: "btrfs",
  2035054128: "overlayfs",
};

/** The kind of file system at `dir`, or its magic number in hexadecimal. */
export function fileSystem(dir: string): string {
  const { type } = statfsSync(dir);
  return fileSystems[type] ?? `0x${type.toString(16)}`;
}
