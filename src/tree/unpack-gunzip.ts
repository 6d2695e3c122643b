/** gzip with limits: small archives in one call, large ones as a stream, so that memory stays bounded. */
import * as zlib from "node:zlib";
import { tarRefusal } from "../core/tar-rules.ts";

export interface GunzipLimits {
  /** Most bytes that may come out. */
  unpackedBytes: number;
  /** Most bytes that may come out for each byte that went in, once `ratioFrom` bytes have come out. */
  ratio: number;
  ratioFrom: number;
  /** Archives that say they hold at most this many bytes are unpacked in one call. */
  wholeBytes: number;
}

/** Slack behind the announced size: a full output buffer would make zlib allocate a second one. */
const slack = 64;
const streamChunk = 256 * 1024;

/**
 * Hands the content of one gzip file (of one or several members) to `push` in order. The chunks are valid only during
 * the call. Throws CSP_TARBALL_INVALID for anything that is not whole and sound gzip, and for bombs.
 */
export async function gunzip(bytes: Uint8Array, limits: GunzipLimits, push: (chunk: Uint8Array) => void) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) {
    throw tarRefusal("not-gzip", `the archive is ${describe(bytes)} instead of a gzip file`);
  }
  const announced = announcedSize(bytes);
  if (announced <= Math.min(limits.wholeBytes, limits.unpackedBytes) && gunzipWhole(bytes, announced, push)) return;
  await gunzipStream(bytes, limits, push);
}

/** The size of the last member, as its trailer has it: a hint, since anybody can write anything there. */
export function announcedSize(bytes: Uint8Array): number {
  return bytes.length < 18 ? 0 : new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
}

/** False, with nothing pushed, where more came out than was announced. */
function gunzipWhole(bytes: Uint8Array, announced: number, push: (chunk: Uint8Array) => void): boolean {
  const room = announced + slack;
  let content: Buffer;
  let consumed: number;
  try {
    // `info` is documented by Node and missing in the types: it tells how far zlib has read.
    const options = { chunkSize: room, maxOutputLength: room, info: true };
    const result = zlib.gunzipSync(bytes, options) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    content = result.buffer;
    consumed = result.engine.bytesWritten;
  } catch (error) {
    if (errorCode(error) === "ERR_BUFFER_TOO_LARGE") return false;
    throw translate(error);
  }
  try {
    checkRest(bytes, consumed);
    push(content);
  } finally {
    // Gives the memory back now. Left to the collector, a worker holds on to the content of dozens of packages.
    if (content.buffer.byteLength === room) (content.buffer as ArrayBuffer).transfer(0);
  }
  return true;
}

async function gunzipStream(bytes: Uint8Array, limits: GunzipLimits, push: (chunk: Uint8Array) => void) {
  const stream = zlib.createGunzip({ chunkSize: streamChunk });
  stream.end(bytes);
  const ratioCap = Math.max(limits.ratioFrom, bytes.length * limits.ratio);
  let total = 0;
  const chunks: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw translate(error);
      });
      if (next.done === true) break;
      total += next.value.length;
      if (total > limits.unpackedBytes) {
        throw tarRefusal("unpacked-size", `the archive unpacks to more than ${limits.unpackedBytes} bytes`);
      }
      if (total > ratioCap) {
        throw tarRefusal("ratio", `the archive unpacks to more than ${limits.ratio} times its size`);
      }
      push(next.value);
    }
    checkRest(bytes, stream.bytesWritten);
  } finally {
    stream.destroy();
  }
}

/** zlib stops at a zero byte after a member: padding, unless something else follows. */
function checkRest(bytes: Uint8Array, from: number): void {
  for (let i = from; i < bytes.length; i++) {
    if (bytes[i] !== 0) throw tarRefusal("gzip-trailing-data", "the archive has other data after its gzip data");
  }
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function translate(cause: unknown): unknown {
  const code = errorCode(cause);
  if (typeof code !== "string" || !code.startsWith("Z_")) return cause;
  if (code === "Z_MEM_ERROR") return cause;
  if (code === "Z_BUF_ERROR") {
    return tarRefusal("gzip-truncated", "the archive ends in the middle of its gzip data", undefined, cause);
  }
  const problem = cause instanceof Error ? cause.message : code;
  // The first header was checked before, so this one is where a second member would begin.
  return problem === "incorrect header check"
    ? tarRefusal("gzip-trailing-data", "the archive has other data after its gzip data", undefined, cause)
    : tarRefusal("gzip-corrupt", `the gzip data of the archive is damaged (${problem})`, undefined, cause);
}

const signatures: readonly (readonly [name: string, at: number, text: string])[] = [
  ["a tar file without compression", 257, "ustar"],
  ["a zip file", 0, "PK\x03\x04"],
  ["an empty zip file", 0, "PK\x05\x06"],
  ["a zstd file", 0, "\x28\xb5\x2f\xfd"],
  ["an xz file", 0, "\xfd7zXZ"],
  ["a bzip2 file", 0, "BZh"],
];

function describe(bytes: Uint8Array): string {
  if (bytes.length === 0) return "empty";
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 512)).toString("latin1");
  for (const [name, at, text] of signatures) if (start.startsWith(text, at)) return name;
  const text = start.replace(/^(?:\xef\xbb\xbf)?\s+/, "");
  if (/^<(?:!doctype|html|head|body|\?xml|!--)/i.test(text)) return "a web page";
  if (/^[{[]/.test(text)) return "JSON";
  return "something else";
}
