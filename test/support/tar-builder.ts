/** Builds package archives byte by byte, the impossible ones included. */
import { gzipSync } from "node:zlib";

export interface TarEntry {
  name: string | Uint8Array;
  /** Type flag, one character; `0` (a file) by default. */
  type?: string;
  body?: string | Uint8Array;
  mode?: number;
  link?: string;
  /** What the header says instead of the length of the body. */
  size?: number;
  /** `ustar` (POSIX) by default. */
  format?: "ustar" | "gnu" | "v7";
  prefix?: string;
  /** Bytes put over the finished header fields, by offset, before the checksum is taken. */
  patch?: Record<number, string | Uint8Array>;
  /** A checksum that is off by this much. */
  checksumError?: number;
}

/** Things an archive is made of: entries, or bytes put in as they are. */
export type TarPart = TarEntry | Uint8Array;

const latin1 = (text: string) => Buffer.from(text, "latin1");
const bytesOf = (text: string | Uint8Array) => (typeof text === "string" ? Buffer.from(text) : Buffer.from(text));

/** One 512-byte header. */
export function tarHeader(entry: TarEntry): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  bytesOf(entry.name).copy(block, 0, 0, 100);
  octal(entry.mode ?? 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(entry.size ?? bytesOf(entry.body ?? "").length, 124, 12);
  octal(0, 136, 12);
  block.write(entry.type ?? "0", 156, "latin1");
  if (entry.link !== undefined) block.write(entry.link, 157, 100);
  const format = entry.format ?? "ustar";
  if (format !== "v7") block.write(format === "ustar" ? "ustar\x0000" : "ustar  \0", 257, "latin1");
  if (entry.prefix !== undefined) block.write(entry.prefix, 345, 155);
  for (const [at, patch] of Object.entries(entry.patch ?? {})) {
    (typeof patch === "string" ? latin1(patch) : Buffer.from(patch)).copy(block, Number(at));
  }
  sealHeader(block, entry.checksumError);
  return block;
}

/** Writes the checksum of a header block into it. */
export function sealHeader(block: Buffer, error = 0): void {
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0) + error;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

/** A header and its content, padded to whole blocks. */
export function tarEntry(entry: TarEntry): Buffer {
  const body = bytesOf(entry.body ?? "");
  return Buffer.concat([tarHeader(entry), body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

/** `length key=value\n`, the length counting itself. */
export function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const rest = Buffer.concat([bytesOf(` ${key}=`), bytesOf(value), latin1("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length++;
  return Buffer.concat([latin1(String(length)), rest]);
}

/** An extended header (`x`), or a global one (`g`), from records or from raw bytes. */
export function pax(records: Record<string, string | Uint8Array> | Uint8Array, type: "x" | "g" | "X" = "x"): Buffer {
  const body =
    records instanceof Uint8Array
      ? records
      : Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
  return tarEntry({ name: "PaxHeader/x", type, body });
}

/** GNU's way of long names (`L`) and long link targets (`K`). */
export function gnuLong(type: "L" | "K", text: string): Buffer {
  return tarEntry({ name: "././@LongLink", type, format: "gnu", body: `${text}\0` });
}

export const endBlocks = Buffer.alloc(1024);

/** An archive; `end: false` leaves out the closing blocks. */
export function tar(parts: readonly TarPart[], options: { end?: boolean } = {}): Buffer {
  const bytes = parts.map((part) => (part instanceof Uint8Array ? part : tarEntry(part)));
  return Buffer.concat(options.end === false ? bytes : [...bytes, endBlocks]);
}

export function tgz(parts: readonly TarPart[], options: { end?: boolean } = {}): Buffer {
  return gzipSync(tar(parts, options));
}

/** The package.json entry of `demo@1.0.0`, with more keys. */
export function manifest(more: Record<string, unknown> = {}): TarEntry {
  return { name: "package/package.json", body: JSON.stringify({ name: "demo", version: "1.0.0", ...more }) };
}

/** An archive of `demo@1.0.0` with these parts after its package.json. */
export function demo(...parts: TarPart[]): Buffer {
  return tgz([manifest(), ...parts]);
}
