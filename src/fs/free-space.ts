/** What is left on a file system, and what kind it is. */
import { statfsSync } from "node:fs";
import { guarded } from "./os-error.ts";

/** What this user may still write. */
export interface FreeSpace {
  bytes: number;
  /** Undefined where the file system does not count them (btrfs). */
  inodes: number | undefined;
  /** `ext4`, `xfs`, `tmpfs`, `nfs`, …, or the kernel's number in hexadecimal. */
  fileSystem: string;
}

/** The `f_type` of Linux. Elsewhere the numbers mean nothing and are shown as they are. */
const names: Readonly<Record<number, string>> = {
  61267: "ext4",
  1481003842: "xfs",
  2435016766: "btrfs",
  16914836: "tmpfs",
  2240043254: "ramfs",
  2035054128: "overlay",
  801189825: "zfs",
  4076150800: "f2fs",
  3393526350: "bcachefs",
  19780: "vfat",
  538032816: "exfat",
  1702057286: "fuse",
  26985: "nfs",
  4283649346: "cifs",
  4266872130: "smb2",
  16914839: "9p",
  12805120: "ceph",
  1936814952: "squashfs",
  3774210530: "erofs",
};

/** Asks the file system that holds this path, which must exist. */
export function freeSpace(path: string): FreeSpace {
  const { type, bsize, bavail, files, ffree } = guarded(() => statfsSync(path), path);
  const kind = type >>> 0;
  return {
    bytes: bavail * bsize,
    inodes: files === 0 ? undefined : ffree,
    fileSystem: names[kind] ?? `0x${kind.toString(16)}`,
  };
}
