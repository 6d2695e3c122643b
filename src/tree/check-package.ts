/**
 * Checks everything of one digest: the blob against its digest, and every copy of the package against the blob. A job is plain data, so that it runs the same in a worker and in place. Changes nothing.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { posix } from "node:path";
import { isCspError } from "../core/errors.ts";
import type { Digest } from "../core/integrity.ts";
import { printable } from "../core/tar-rules.ts";
import { type Archive, compareArchive } from "./check-archive.ts";
import { type CopyTarget, judgeCopy, openCopy } from "./check-copy.ts";
import { type InstanceTarget, innerLinks, judgeDescription, judgeInstance, packageIn } from "./check-instance.ts";
import { createFindings, type Finding, type Findings, type Thing } from "./finding.ts";

export interface PackageCheck {
  /** `<data dir>/script-packages`, which paths are shown relative to. */
  root: string;
  digest: Digest;
  /** Bytes of the blob, where the lockfile knows. */
  size: number | undefined;
  /** Absolute path of the blob. */
  blob: string;
  /** Undefined for a blob of which only the digest is known. */
  package: { name: string; version: string } | undefined;
  /** Paths of binaries as the lockfile names them. */
  bins: readonly string[];
  instances: readonly InstanceTarget[];
  /** Copies in hoisted trees. */
  copies: readonly CopyTarget[];
}

export interface PackageCheckResult {
  findings: Finding[];
  /** Files compared, each once however many names it has. */
  files: number;
  /** Bytes read, of the blob and of files. */
  bytes: number;
}

/** No package is larger. */
const largestBlob = 2 * 1024 ** 3;
/** Most bytes of a file read in one call. */
const bufferSize = 64 * 1024;

/** Runs checks one after the other, with a result for each; only defects of csp are thrown. */
export async function checkPackages(jobs: readonly PackageCheck[]): Promise<PackageCheckResult[]> {
  const results: PackageCheckResult[] = [];
  const buffer = Buffer.allocUnsafeSlow(bufferSize);
  for (const job of jobs) results.push(await checkPackage(job, buffer));
  return results;
}

async function checkPackage(job: PackageCheck, buffer: Buffer): Promise<PackageCheckResult> {
  const findings = createFindings(job.root);
  const instances = job.instances.filter((target) => judgeInstance(target, findings));
  const opened = [...instances.map(copyIn), ...job.copies].map((target) => openCopy(target, findings));
  const copies = opened.filter((copy) => copy !== undefined);
  const blob = readBlob(job, findings);
  let archive: Archive | undefined;
  if (blob !== undefined && job.package !== undefined && copies.length > 0) {
    try {
      archive = await compareArchive(blob, job.package, copies, buffer);
    } catch (error) {
      if (!isCspError(error, "CSP_TARBALL_INVALID")) throw error;
      const message = `is an archive that this csp refuses: ${error.message}`;
      findings.add("unchecked", blobThing(job), job.blob, "archive", message);
    }
  }
  const read = (blob?.length ?? 0) + (archive?.read ?? 0);
  // Given back at once: the collector would keep the bytes of many packages before it looks.
  if (blob !== undefined) (blob.buffer as ArrayBuffer).transfer(0);
  const bins = new Set(job.bins.map((path) => posix.join("/", path).slice(1)));
  for (const [i, copy] of copies.entries()) judgeCopy(copy, i, archive, bins, findings);
  for (const [i, target] of instances.entries()) judgeDescription(target, opened[i], archive, findings);
  return { findings: findings.list, files: archive?.files.size ?? 0, bytes: read };
}

/** The package's files in an instance. */
function copyIn({ thing, folder, facts }: InstanceTarget): CopyTarget {
  return { thing, folder: `${folder}/${packageIn(facts)}`, links: innerLinks(facts), skip: [] };
}

function blobThing({ digest }: PackageCheck): Thing {
  return { type: "blob", id: digest };
}

/** The bytes of the digest; undefined, with a finding, where the cache does not have them. */
function readBlob(job: PackageCheck, findings: Findings): Uint8Array | undefined {
  const thing = blobThing(job);
  const hidden = job.package === undefined ? "" : `, so \`${label(job.package)}\` cannot be compared with it`;
  let fd: number | undefined;
  try {
    fd = openSync(job.blob, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      findings.add("corrupt", thing, job.blob, "type", `is no file${hidden}`);
      return undefined;
    }
    const mode = stat.mode & 0o7777;
    if (mode !== 0o444) findings.add("corrupt", thing, job.blob, "mode", `has mode ${mode.toString(8)} instead of 444`);
    const bytes = stat.size > largestBlob ? new Uint8Array(0) : readWhole(fd, stat.size);
    const digest = new Bun.CryptoHasher("sha512").update(bytes).digest("hex");
    if (digest === job.digest) return bytes;
    const message = `has other content than its name says (sha512 ${digest.slice(0, 16)}…)${hidden}`;
    findings.add("corrupt", thing, job.blob, "digest", message);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") findings.add("unchecked", thing, job.blob, "no-blob", `is not in the cache${hidden}`);
    else if (code === "ELOOP") findings.add("corrupt", thing, job.blob, "type", `is a link${hidden}`);
    else findings.addError(error, thing, job.blob);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return undefined;
}

/** A file that shrinks meanwhile gives fewer bytes, which then have another digest. */
function readWhole(fd: number, size: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (let got = 1; at < size && got > 0; at += got) got = readSync(fd, bytes, at, size - at, null);
  return at === size ? bytes : bytes.subarray(0, at);
}

function label({ name, version }: { name: string; version: string }): string {
  return printable(`${name}@${version}`);
}
