/** Subresource-integrity strings and the digests csp names blobs by. */

/** sha512 of a blob: 128 lower-case hexadecimal characters. */
export type Digest = string;

/** What a lockfile says of a package's bytes. */
export type Integrity =
  | { kind: "strong"; digest: Digest }
  /** Known algorithm, too weak to trust alone (`sha1`, `md5`, `sha256`, `sha384`): the bytes must be hashed anew. */
  | { kind: "weak"; algorithm: string; hex: string }
  | { kind: "missing" }
  | { kind: "malformed" };

const lengths: Readonly<Record<string, number>> = { md5: 16, sha1: 20, sha256: 32, sha384: 48, sha512: 64 };

/** Reads one SRI entry; anything but one canonical `algorithm-base64` is malformed. */
export function parseIntegrity(text: string): Integrity {
  if (text === "") return { kind: "missing" };
  const dash = text.indexOf("-");
  const algorithm = text.slice(0, dash);
  const length = lengths[algorithm];
  if (dash < 0 || length === undefined) return { kind: "malformed" };
  const base64 = text.slice(dash + 1);
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length !== length || bytes.toString("base64") !== base64) return { kind: "malformed" };
  const hex = bytes.toString("hex");
  return algorithm === "sha512" ? { kind: "strong", digest: hex } : { kind: "weak", algorithm, hex };
}

/** `sha512-<base64>` of a digest. */
export function formatIntegrity(digest: Digest): string {
  return `sha512-${Buffer.from(digest, "hex").toString("base64")}`;
}

/** True for 128 lower-case hexadecimal characters. */
export function isDigest(text: string): boolean {
  return /^[0-9a-f]{128}$/.test(text);
}
