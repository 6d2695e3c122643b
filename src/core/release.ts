/** Release objects: a lockfile, and the key of every blob that it needs on the platforms it was published for. */
import { CspError, isCspError } from "./errors.ts";
import type { Digest } from "./integrity.ts";
import { type Lockfile, parseLockfile } from "./lockfile.ts";
import { type LockfileHash, lockfileHash } from "./lockfile-hash.ts";
import { digestOfKey, type StoreKey } from "./store-key.ts";
import { createFieldReader, invalid, objectLines, readDocument, storeFormat } from "./store-root-fields.ts";

export interface ReleaseObject {
  hash: LockfileHash;
  /** The whole text of `script-packages.lock`. */
  lockfile: string;
  /** Platform names, sorted; empty for all that the lockfile names. */
  platforms: readonly string[];
  blobs: ReadonlyMap<Digest, ReleaseBlob>;
}

export interface ReleaseBlob {
  key: StoreKey;
  /** Bytes. */
  size: number;
}

/** Bytes of the largest release object that is written or read. */
export const largestReleaseObject = 128 * 1024 * 1024;
/** Blobs that one release may refer to. */
export const mostBlobs = 200_000;
const largestBlob = 2 * 1024 ** 3;

const what = "a release in the store";

/** The canonical text: equal values give equal bytes. Throws CSP_STORE_INVALID for a value that could not be read back. */
export function formatReleaseObject(object: ReleaseObject): string {
  const text = layout(object);
  parseReleaseObject(text);
  return text;
}

function layout({ hash, lockfile, platforms, blobs }: ReleaseObject): string {
  const sizes = [...blobs.values()].map(({ key, size }) => [key, String(size)] as const);
  const fields = [
    `"format":${storeFormat}`,
    `"blobs":${objectLines(sizes, "  ")}`,
    `"hash":${JSON.stringify(hash)}`,
    `"lockfile":${JSON.stringify(lockfile)}`,
    `"platforms":${JSON.stringify(platforms)}`,
  ];
  return `{\n ${fields.join(",\n ")}\n}\n`;
}

/**
 * Reads the text, or its bytes, that `formatReleaseObject` writes and nothing else. Throws CSP_STORE_INVALID or
 * CSP_STORE_NEWER. That the lockfile has the hash is for `checkRelease` to say.
 */
export function parseReleaseObject(input: string | Uint8Array): ReleaseObject {
  const text = typeof input === "string" ? input : decode(input);
  const raw = readDocument(what, text, largestReleaseObject);
  const read = createFieldReader(what);
  const blobs = new Map<Digest, ReleaseBlob>();
  for (const [name, value] of read.entries(raw.blobs, "blobs", mostBlobs)) {
    const key = read.key(name, "blobs", "blobs");
    const digest = digestOfKey(key);
    if (blobs.has(digest)) read.fail("`blobs` has two keys for one digest");
    blobs.set(digest, { key, size: read.integer(value, "blobs", largestBlob) });
  }
  const { lockfile } = raw;
  if (typeof lockfile !== "string" || !lockfile.isWellFormed()) return read.fail("`lockfile` is no text");
  const hash = read.match(raw.hash, "hash", /^[0-9a-f]{64}$/);
  const object = { hash, lockfile, platforms: read.platforms(raw.platforms), blobs };
  if (layout(object) !== text) read.fail("it has more in it, or another form");
  return object;
}

/**
 * Proves that the lockfile has the release's hash and that every blob is one of its packages; gives the lockfile. Throws
 * CSP_STORE_INVALID, or CSP_STORE_NEWER for a lockfile of a newer csp.
 */
export function checkRelease(object: ReleaseObject): Lockfile {
  const lockfile = readLockfile(object);
  const digests = new Set<Digest>();
  for (const { integrity } of lockfile.packages.values()) {
    if (integrity.kind !== "strong") throw invalid(what, "its lockfile has a package without a strong hash");
    digests.add(integrity.digest);
  }
  if (lockfileHash(lockfile) !== object.hash) throw invalid(what, "its lockfile has another hash than it says");
  for (const digest of object.blobs.keys())
    if (!digests.has(digest)) throw invalid(what, "it has a blob that its lockfile does not name");
  return lockfile;
}

function readLockfile({ lockfile }: ReleaseObject): Lockfile {
  try {
    return parseLockfile(lockfile, "script-packages.lock");
  } catch (cause) {
    if (isCspError(cause, "CSP_LOCKFILE_NEWER")) {
      throw new CspError("CSP_STORE_NEWER", {
        message: "a release in the store has a lockfile that was written by a newer csp",
        details: cause.details,
        hint: "update csp on this machine",
        cause,
      });
    }
    if (!isCspError(cause)) throw cause;
    throw new CspError("CSP_STORE_INVALID", {
      message: "a release in the store has a lockfile that cannot be read",
      details: [cause.message, ...cause.details],
      hint: "publish it again",
      cause,
    });
  }
}

function decode(bytes: Uint8Array): string {
  if (bytes.byteLength > largestReleaseObject) throw invalid(what, `it is longer than ${largestReleaseObject} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid(what, "it is no UTF-8");
  }
}
