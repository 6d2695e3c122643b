/**
 * Package tarballs whose bytes depend on nothing but their content: fixed header fields, and gzip with stored blocks,
 * so that neither the time nor the version of a compression library changes an integrity.
 */

export interface TarEntry {
  /** Path in the archive, written as it is. */
  path: string;
  /** Defaults to a file, or to a symbolic link where `link` is given. */
  type?: "file" | "directory" | "symlink" | "hardlink";
  link?: string;
  content?: string | Uint8Array;
  /** Defaults to 0644. */
  mode?: number;
}

/** npm stamps this time on all it packs: 1985-10-26T08:15:00Z. */
const packedAt = 499162500;
const block = 512;
const typeFlags = { file: "0", hardlink: "1", symlink: "2", directory: "5" } as const;

/** A gzipped ustar archive of the entries in the order given. Paths must fit ustar: 100 bytes, or 155/100. */
export function packTarball(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const content = typeof entry.content === "string" ? Buffer.from(entry.content) : (entry.content ?? Buffer.alloc(0));
    parts.push(header(entry, content.length), content, new Uint8Array((block - (content.length % block)) % block));
  }
  parts.push(new Uint8Array(2 * block));
  return storedGzip(Buffer.concat(parts));
}

function header(entry: TarEntry, size: number): Uint8Array {
  const { name, prefix } = splitPath(entry.path);
  const bytes = Buffer.alloc(block);
  const octal = (value: number, offset: number, width: number) =>
    bytes.write(`${value.toString(8).padStart(width - 1, "0")}\0`, offset);
  bytes.write(name, 0);
  octal(entry.mode ?? 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(packedAt, 136, 12);
  bytes.write("        ", 148);
  bytes.write(typeFlags[entry.type ?? (entry.link === undefined ? "file" : "symlink")], 156);
  bytes.write(entry.link ?? "", 157);
  bytes.write("ustar\x0000", 257);
  bytes.write(prefix, 345);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
}

function splitPath(path: string): { name: string; prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: "" };
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)];
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return { name, prefix };
  }
  throw new Error(`path too long for a test package: ${path}`);
}

/** A gzip member that stores its content without compression. */
export function storedGzip(content: Uint8Array): Uint8Array<ArrayBuffer> {
  const largest = 0xffff;
  const parts: Uint8Array[] = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])];
  for (let at = 0; at === 0 || at < content.length; at += largest) {
    const piece = content.subarray(at, at + largest);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + largest >= content.length ? 1 : 0, 0);
    head.writeUInt16LE(piece.length, 1);
    head.writeUInt16LE(~piece.length & 0xffff, 3);
    parts.push(head, piece);
  }
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(Bun.hash.crc32(content), 0);
  tail.writeUInt32LE(content.length % 2 ** 32, 4);
  return Buffer.concat([...parts, tail]);
}
