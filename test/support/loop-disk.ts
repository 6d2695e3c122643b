/** An ext4 file system in a file, whose power can be cut. Needs root and loop devices. */
import { dlopen, ptr } from "bun:ffi";
import { spawnSync } from "node:child_process";
import { closeSync, constants, existsSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeTemp } from "./temp.ts";

/**
 * What is lost: 0 nothing, 1 data that was not synced while names and sizes are kept (the nastiest), 2 everything since
 * the journal was last written.
 */
export type CutMode = 0 | 1 | 2;

export interface LoopDisk {
  /** Where it is mounted. */
  readonly mountPoint: string;
  /** Keeps the present content for `restore`. */
  save(): void;
  /** Goes back to what was saved. */
  restore(): void;
  /** Cuts the power and starts again. */
  cut(mode: CutMode): void;
  /** Unmounts and removes everything. */
  remove(): void;
}

const shutdown = 0x8004587dn;

/** Makes and mounts one below `folder`, which lies best in memory. Throws where that is not possible. */
export function createLoopDisk(folder: string, megabytes = 48): LoopDisk {
  const image = join(folder, "disk.img");
  const saved = join(folder, "saved.img");
  const mountPoint = join(folder, "disk");
  mkdirSync(mountPoint);
  run("truncate", "-s", `${megabytes}M`, image);
  run("mkfs.ext4", "-qF", image);
  const mount = (): void => run("mount", "-o", "loop", image, mountPoint);
  const unmount = (): void => run("umount", mountPoint);
  mount();
  // Always a new file: a mount that somebody's own namespace holds on to must not be found again under the old one.
  const copy = (from: string, to: string): void => {
    run("cp", "--sparse=always", from, `${to}.new`);
    renameSync(`${to}.new`, to);
  };
  return {
    mountPoint,
    save() {
      unmount();
      copy(image, saved);
      mount();
    },
    restore() {
      unmount();
      copy(saved, image);
      mount();
    },
    cut(mode) {
      cutPower(mountPoint, mode);
      unmount();
      copy(image, image);
      mount();
    },
    remove() {
      spawnSync("umount", [mountPoint]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A temporary folder in memory where the system has a place for that. */
export function memoryFolder(): string {
  if (!existsSync("/dev/shm")) return makeTemp();
  const folder = join("/dev/shm", `csp-test-${process.pid}-${crypto.randomUUID().slice(0, 8)}`);
  mkdirSync(folder);
  return folder;
}

/** True where such a disk can be made, tried out once. */
export function hasLoopDisks(): boolean {
  if (process.getuid?.() !== 0 || process.platform !== "linux" || Bun.which("mkfs.ext4") === null) return false;
  const folder = memoryFolder();
  try {
    const disk = createLoopDisk(folder, 8);
    disk.cut(2);
    disk.remove();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function cutPower(directory: string, mode: CutMode): void {
  const libc = dlopen("libc.so.6", { ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" } });
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const argument = new Uint32Array([mode]);
    if (libc.symbols.ioctl(fd, shutdown, ptr(argument)) !== 0) throw new Error(`the power of ${directory} stays on`);
  } finally {
    closeSync(fd);
    libc.close();
  }
}

function run(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}

/** Copies a folder with hard links, modes and times. */
export function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  run("cp", "-a", from, to);
}
