/** Writes the entries of a package archive into a directory that nobody else uses. */
import * as fs from "node:fs";
import type { TarSink } from "../core/tar.ts";
import { createPathLedger, type LedgerLimits, type PathLedger } from "../core/tar-ledger.ts";
import { tarRefusal } from "../core/tar-rules.ts";

export interface WriterLimits extends LedgerLimits {
  /** package.json is held in memory up to this size. */
  manifestBytes: number;
}

export interface UnpackWriter {
  sink: TarSink;
  ledger: PathLedger;
  counts: { files: number; directories: number; bytes: number };
  /** Paths of links, none of which was created. */
  links: string[];
  /** Names of files beside the top directory, which were left out. */
  beside: string[];
  /** Content of the package.json at the top. */
  manifest(): Buffer | undefined;
  /** Gives a file of the package its execute bits. */
  makeExecutable(path: string): void;
  /** Closes what a failed run left open. Idempotent. */
  close(): void;
}

// Exclusive: the directory is fresh, so whatever stands in the way came from the same archive.
const createOnly = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL;

/** Errors that an entry's name causes, on file systems stricter or coarser than the rules. */
const namesFault = new Set(["ENAMETOOLONG", "EILSEQ", "EINVAL", "EEXIST", "EISDIR", "ENOTDIR"]);

/**
 * Creates `destination` (whose parent must exist; EEXIST where it is there already) and a sink that fills it: files
 * 0444 or 0555, directories 0755, whatever the umask.
 */
export function createUnpackWriter(destination: string, limits: WriterLimits): UnpackWriter {
  fs.mkdirSync(destination, 0o755);
  // Workers cannot change the umask. Modes are right at creation unless it, or a default ACL, takes bits away.
  const masked = (fs.statSync(destination).mode & 0o777) !== 0o755;
  if (masked) fs.chmodSync(destination, 0o755);

  const counts = { files: 0, directories: 0, bytes: 0 };
  const links: string[] = [];
  const beside: string[] = [];
  let manifest: Buffer | undefined;
  /** Parts of the package.json that is being read. */
  let parts: Buffer[] | undefined;
  let open: number | undefined;

  const ledger = createPathLedger(limits, {
    directory(path) {
      fs.mkdirSync(`${destination}/${path}`, 0o755);
      if (masked) fs.chmodSync(`${destination}/${path}`, 0o755);
      counts.directories++;
    },
    replace(path) {
      counts.bytes -= fs.lstatSync(`${destination}/${path}`).size;
      counts.files--;
      fs.unlinkSync(`${destination}/${path}`);
    },
  });

  const sink: TarSink = {
    file(name, executable, size) {
      const path = storable(name, () => ledger.file(name));
      if (path === undefined) {
        beside.push(name);
        return;
      }
      if (path === "package.json") {
        if (size > limits.manifestBytes) {
          throw tarRefusal("manifest-invalid", `is larger than ${limits.manifestBytes} bytes`, name);
        }
        parts = [];
      }
      const mode = executable ? 0o555 : 0o444;
      open = storable(name, () => fs.openSync(`${destination}/${path}`, createOnly, mode));
      if (masked) fs.fchmodSync(open, mode);
      counts.files++;
      counts.bytes += size;
    },
    data(bytes, from, to) {
      if (open === undefined) return;
      // A write may be short, for instance just before the disk is full.
      for (let at = from; at < to; ) at += fs.writeSync(open, bytes, at, to - at);
      parts?.push(Buffer.from(bytes.subarray(from, to)));
    },
    fileEnd() {
      close();
      if (parts === undefined) return;
      const content = Buffer.concat(parts);
      parts = undefined;
      if (manifest !== undefined && !manifest.equals(content)) {
        throw tarRefusal("manifest-twice", "the archive has two different package.json files");
      }
      manifest = content;
    },
    directory(name) {
      storable(name, () => ledger.directory(name));
    },
    link(name, target, kind) {
      links.push(ledger.link(name, target, kind));
    },
  };

  function close(): void {
    if (open === undefined) return;
    const fd = open;
    open = undefined;
    fs.closeSync(fd);
  }

  return {
    sink,
    ledger,
    counts,
    links,
    beside,
    manifest: () => manifest,
    makeExecutable: (path) => fs.chmodSync(`${destination}/${path}`, 0o555),
    close,
  };
}

function storable<T>(name: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (typeof code !== "string" || !namesFault.has(code)) throw error;
    throw tarRefusal("unstorable", `cannot be stored on this file system (${code})`, name, error);
  }
}
