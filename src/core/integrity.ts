/** Subresource-integrity strings and the digests csp names blobs by. */

/** sha512 of a blob: 128 lower-case hexadecimal characters. */
export type Digest = string;

/** A canonical sha512; the digest is decoded when it is first asked for, because most are never needed. */
interface Strong {
  kind: "strong";
  /** `sha512-<base64>`. */
  text: string;
  digest: Digest;
}

/** What a lockfile says of a package's bytes. */
export type Integrity =
  | Strong
  /** Known algorithm, too weak to trust alone (`sha1`, `md5`, `sha256`, `sha384`): the bytes must be hashed anew. */
  | { kind: "weak"; algorithm: string; hex: string }
  | { kind: "missing" }
  | { kind: "malformed" };

const lengths: Readonly<Record<string, number>> = { md5: 16, sha1: 20, sha256: 32, sha384: 48 };

/** 64 bytes in canonical base64: the last digit before the padding carries two bits. */
const canonicalSha512 = /^sha512-[A-Za-z0-9+/]{85}[AQgw]==$/;

/** Reads one SRI entry; anything but one canonical `algorithm-base64` is malformed. */
export function parseIntegrity(text: string): Integrity {
  if (canonicalSha512.test(text)) return strong(text);
  if (text === "") return { kind: "missing" };
  const dash = text.indexOf("-");
  const algorithm = text.slice(0, dash);
  const length = lengths[algorithm];
  if (dash < 0 || length === undefined) return { kind: "malformed" };
  const base64 = text.slice(dash + 1);
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length !== length || bytes.toString("base64") !== base64) return { kind: "malformed" };
  return { kind: "weak", algorithm, hex: bytes.toString("hex") };
}

function strong(text: string): Strong {
  let digest: Digest | undefined;
  return {
    kind: "strong",
    text,
    get digest() {
      digest ??= Buffer.from(text.slice("sha512-".length), "base64").toString("hex");
      return digest;
    },
  };
}

/** The integrity of bytes with this digest. */
export function strongIntegrity(digest: Digest): Integrity {
  return strong(formatIntegrity(digest));
}

/** `sha512-<base64>` of a digest. */
export function formatIntegrity(digest: Digest): string {
  return `sha512-${Buffer.from(digest, "hex").toString("base64")}`;
}

/** True for 128 lower-case hexadecimal characters. */
export function isDigest(text: string): boolean {
  return /^[0-9a-f]{128}$/.test(text);
}
