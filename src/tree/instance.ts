/**
 * Building package instances in a staging folder. A job is plain data, so that it runs the same in a worker and in place;
 * it does everything for one digest: check the bytes, stage the blob, unpack once, link the rest.
 */
import { chmodSync, closeSync, lstatSync, mkdirSync, openSync, readFileSync, symlinkSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { CspError } from "../core/errors.ts";
import type { Digest } from "../core/integrity.ts";
import type { InstancePlan } from "../core/tree-plan.ts";
import { type InstanceSize, instanceText, readInstance } from "./instance-description.ts";
import { linkFiles } from "./link-files.ts";
import { unpackTarball } from "./unpack.ts";

export interface InstanceJob {
  digest: Digest;
  name: string;
  version: string;
  /** Where the blob is; undefined where `bytes` come with the job. */
  cached: string | undefined;
  /** Where to stage the blob's bytes; undefined where the cache has it. */
  stageBlob: string | undefined;
  /** The folder of a complete package with the same digest, to be linked instead of unpacked. */
  donor: string | undefined;
  instances: readonly { staged: string; plan: InstancePlan }[];
}

export interface InstanceResult {
  files: number;
  /** Bytes of the unpacked files, once. */
  bytes: number;
  /** Links in the archive that were left out. */
  skippedLinks: readonly string[];
  notes: readonly string[];
}

/** Runs one job; what it leaves in the staging folder after a failure is the caller's to remove. */
export async function buildInstances(job: InstanceJob, bytes: Uint8Array | undefined): Promise<InstanceResult> {
  let result: InstanceResult = { files: 0, bytes: 0, skippedLinks: [], notes: [] };
  let donor = job.donor;
  let size = donor === undefined ? undefined : donorSize(donor, job.name);
  if (donor === undefined || job.stageBlob !== undefined) {
    const blob = checked(job, bytes ?? readFileSync(job.cached as string));
    if (job.stageBlob !== undefined) writeBlob(job.stageBlob, blob);
    const first = job.instances[0];
    if (donor === undefined && first !== undefined) {
      const destination = join(first.staged, "node_modules", job.name);
      mkdirSync(dirname(destination), { recursive: true, mode: 0o755 });
      result = await unpack(job, blob, destination, first.plan);
      size = result;
      finish(first, size);
      donor = destination;
    }
    // Given back at once: the collector would keep the bytes of many packages before it looks.
    (blob.buffer as ArrayBuffer).transfer(0);
  }
  for (const instance of job.instances.slice(job.donor === undefined ? 1 : 0)) {
    const destination = join(instance.staged, "node_modules", job.name);
    mkdirSync(dirname(destination), { recursive: true, mode: 0o755 });
    linkFiles(donor as string, destination);
    finish(instance, size);
  }
  return result;
}

function donorSize(donor: string, name: string): InstanceSize | undefined {
  const { files, bytes } = readInstance(donor.slice(0, -`/node_modules/${name}`.length)) ?? {};
  return files === undefined || bytes === undefined ? undefined : { files, bytes };
}

/** The very bytes that go on are the ones that are hashed. */
function checked(job: InstanceJob, bytes: Uint8Array): Uint8Array {
  const digest = new Bun.CryptoHasher("sha512").update(bytes).digest("hex");
  if (digest === job.digest) return bytes;
  const cached = job.cached !== undefined;
  throw new CspError("CSP_INTEGRITY", {
    message: `the ${cached ? "cached" : "received"} bytes of \`${job.name}@${job.version}\` are not the locked ones`,
    details: [
      `sha512 locked    ${job.digest.slice(0, 32)}…`,
      `sha512 ${cached ? "cached  " : "received"}  ${digest.slice(0, 32)}…`,
      ...(cached ? [job.cached as string] : [`${bytes.length} bytes received`]),
    ],
    hint: cached
      ? "remove that file and run the command again"
      : "do not use the bytes; find out who changed them, then run the command again",
    data: { package: job.name, version: job.version, expected: job.digest, received: digest },
  });
}

async function unpack(
  job: InstanceJob,
  blob: Uint8Array,
  destination: string,
  plan: InstancePlan,
): Promise<InstanceResult> {
  const { files, bytes, skippedLinks, notes } = await unpackTarball(blob, destination, job);
  for (const path of Object.values(plan.bin)) makeExecutable(join(destination, path));
  return { files, bytes, skippedLinks, notes };
}

/** A binary that the archive forgot to mark; one that is not there is the package's own business. */
function makeExecutable(path: string): void {
  try {
    chmodSync(path, 0o555);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
  }
}

function writeBlob(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, "wx", 0o444);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  } finally {
    closeSync(fd);
  }
}

/**
 * Links and description; the description is written last, so that an instance with one is whole. Inside the package a
 * link gives way to what the archive brought, as everywhere: what a package brings lies nearer than any link.
 */
function finish({ staged, plan }: { staged: string; plan: InstancePlan }, size: InstanceSize | undefined): void {
  const made = new Set<string>();
  for (const { path, target } of plan.links) {
    const at = join(staged, path);
    const folder = dirname(at);
    if (!made.has(folder)) {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      made.add(folder);
    }
    const isInside = path.startsWith(`node_modules/${plan.name}/`);
    if (!isInside || lstatSync(at, { throwIfNoEntry: false }) === undefined) symlinkSync(target, at);
  }
  const fd = openSync(join(staged, "instance.json"), "wx", 0o444);
  try {
    writeSync(fd, instanceText(plan, size));
  } finally {
    closeSync(fd);
  }
}
