/** Unpacks one package archive into a fresh directory, or leaves nothing. */
import * as fs from "node:fs";
import { CspError, isCspError } from "../core/errors.ts";
import { createTarReader, type TarLimits } from "../core/tar.ts";
import type { PathLedger } from "../core/tar-ledger.ts";
import { type PackageManifest, parseManifest } from "../core/tar-manifest.ts";
import { printable, tarRefusal } from "../core/tar-rules.ts";
import { type GunzipLimits, gunzip } from "./unpack-gunzip.ts";
import { createUnpackWriter, type UnpackWriter, type WriterLimits } from "./unpack-writer.ts";

export interface UnpackLimits extends TarLimits, GunzipLimits, WriterLimits {}

/** Far above any package seen in public registries, far below what hurts a host. */
export const defaultUnpackLimits: Readonly<UnpackLimits> = {
  entries: 200_000,
  unpackedBytes: 2 * 1024 ** 3,
  metadataBytes: 1024 ** 2,
  ratio: 250,
  ratioFrom: 64 * 1024 ** 2,
  wholeBytes: 16 * 1024 ** 2,
  manifestBytes: 16 * 1024 ** 2,
  pathBytes: 4096,
  segmentBytes: 255,
  depth: 64,
};

export interface UnpackResult {
  files: number;
  directories: number;
  /** Content of all files. */
  bytes: number;
  /** Links in the archive, which are never created, as in npm and bun: paths inside the package, in archive order. */
  skippedLinks: string[];
  /** Oddities that change nothing, one sentence each, for `--verbose`. */
  notes: string[];
  manifest: PackageManifest;
  /** True where npm would run something of this package at install; csp never does. */
  hasInstallScript: boolean;
}

/**
 * Unpacks a `.tgz` into `destination`, which must not exist while its parent must. Files are 0444, or 0555 where the
 * archive or the `bin` of package.json says so; directories 0755; nothing is synced. Runs without awaiting for archives
 * up to `wholeBytes`; larger ones are streamed, so a worker should unpack one at a time.
 *
 * Throws CSP_TARBALL_INVALID (`data.rule`, `data.entry`, `data.package`) for archives that break a rule or are not the
 * expected package. Errors of the file system pass through. After any error `destination` is gone, unless it was there
 * before (EEXIST).
 */
export async function unpackTarball(
  bytes: Uint8Array,
  destination: string,
  expected: { name: string; version: string },
  limits: Partial<UnpackLimits> = {},
): Promise<UnpackResult> {
  const all: UnpackLimits = { ...defaultUnpackLimits, ...limits };
  const writer = createUnpackWriter(destination, all);
  try {
    const reader = createTarReader(all, writer.sink);
    await gunzip(bytes, all, reader.push);
    const { closed } = reader.end();
    return finish(writer, expected, closed);
  } catch (error) {
    try {
      writer.close();
    } finally {
      fs.rmSync(destination, { recursive: true, force: true });
    }
    throw isCspError(error, "CSP_TARBALL_INVALID") ? named(error, expected) : error;
  }
}

function finish(writer: UnpackWriter, expected: { name: string; version: string }, closed: boolean): UnpackResult {
  const content = writer.manifest();
  if (content === undefined) {
    const where =
      writer.counts.files === 0 ? "the archive has no files inside a top directory" : "no package.json at the top";
    throw tarRefusal("manifest-missing", where);
  }
  const manifest = parseManifest(content, expected);
  const { ledger } = writer;
  for (const path of programsOf(manifest, ledger)) writer.makeExecutable(path);
  const builds = manifest.gypfile && ledger.isFile("binding.gyp");
  return {
    ...writer.counts,
    skippedLinks: writer.links,
    notes: describeOddities(writer, closed),
    manifest,
    hasInstallScript: builds || manifest.installScripts.length > 0,
  };
}

/** Files of the archive that package.json makes programs, whatever their own modes. */
export function programsOf(manifest: PackageManifest, ledger: Pick<PathLedger, "isFile" | "filesIn">): Set<string> {
  const programs = new Set(Object.values(manifest.bin).filter(ledger.isFile));
  if (manifest.binDirectory !== undefined) for (const path of ledger.filesIn(manifest.binDirectory)) programs.add(path);
  return programs;
}

function describeOddities(writer: UnpackWriter, closed: boolean): string[] {
  const notes: string[] = [];
  if (!closed) notes.push("the archive lacks its closing blocks");
  const tops = writer.ledger.tops();
  if (tops.length > 1) notes.push(`the archive has ${tops.length} top directories, which are merged: ${list(tops)}`);
  if (writer.beside.length > 0) notes.push(`files beside the top directory are left out: ${list(writer.beside)}`);
  return notes;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => `\`${printable(name)}\``);
  return names.length > 5 ? `${shown.join(", ")} and ${names.length - 5} more` : shown.join(", ");
}

function named(error: CspError, expected: { name: string; version: string }): CspError {
  const id = printable(`${expected.name}@${expected.version}`);
  return new CspError(error.code, {
    message: `the archive of \`${id}\` is refused: ${error.message}`,
    hint: `choose another version of \`${printable(expected.name)}\`; nothing of this one was unpacked`,
    data: { ...error.data, package: id },
    cause: error.cause,
  });
}
