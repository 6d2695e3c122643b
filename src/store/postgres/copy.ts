/**
 * The binary form of COPY, for objects. It carries bytes as they are, where an ordinary answer without prepared statements
 * spells them in hexadecimal, and it streams: no more than one row is in memory at a time.
 */
import type { StoreKey } from "../../core/store-key.ts";

/** The bytes that begin every COPY, with no flags and no extension. */
const beginning = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
const end = Buffer.from([0xff, 0xff]);
/** Bytes handed over at a time, each a sign of life. */
const chunkBytes = 256 * 1024;

/** The rows `key, n, size, bytes` of an object, an empty one too, in pieces. */
export function* encodeRows(key: StoreKey, bytes: Uint8Array, partBytes: number): Generator<Uint8Array> {
  yield beginning;
  for (let n = 0; n === 0 || n * partBytes < bytes.length; n++) {
    const part = bytes.subarray(n * partBytes, (n + 1) * partBytes);
    yield rowHead(key, n, bytes.length, part.length);
    for (let offset = 0; offset < part.length; offset += chunkBytes) yield part.subarray(offset, offset + chunkBytes);
  }
  yield end;
}

function rowHead(key: StoreKey, n: number, size: number, length: number): Uint8Array {
  const name = Buffer.from(key, "latin1");
  const head = Buffer.alloc(30 + name.length);
  let at = head.writeInt16BE(4, 0);
  at = head.writeInt32BE(name.length, at);
  at += name.copy(head, at);
  at = head.writeInt32BE(4, at);
  at = head.writeInt32BE(n, at);
  at = head.writeInt32BE(8, at);
  at = head.writeBigInt64BE(BigInt(size), at);
  head.writeInt32BE(length, at);
  return head;
}

/** `rows`: they are not as csp writes them. `size`: beyond the limit. `format`: this is no COPY. */
export type Fault = { fault: "rows" | "size" | "format" };

/**
 * The object in the rows `n, size, bytes`, ordered by `n`, in an ArrayBuffer of its own; undefined where there is no row. Every
 * length is compared with what the others make it. After a fault the rest of the stream is not read.
 */
export async function decodeObject(
  stream: AsyncIterable<Uint8Array>,
  { partBytes, maxBytes }: { partBytes: number; maxBytes: number },
): Promise<Uint8Array | undefined | Fault> {
  const source = createSource(stream);
  const fixed = async (length: number): Promise<Buffer | undefined> => {
    return (await source.take(4))?.readInt32BE(0) === length ? await source.take(length) : undefined;
  };
  const head = await source.take(beginning.length);
  if (head === undefined || !beginning.equals(head)) return { fault: "format" };
  let object: Uint8Array<ArrayBuffer> | undefined;
  let rows = 0;
  for (; ; rows++) {
    const fields = (await source.take(2))?.readInt16BE(0);
    if (fields === -1) break;
    if (fields !== 3) return { fault: "format" };
    const n = (await fixed(4))?.readInt32BE(0);
    const size = Number((await fixed(8))?.readBigInt64BE(0) ?? -1);
    if (n !== rows || size < 0 || (object !== undefined && size !== object.length)) return { fault: "rows" };
    if (size > maxBytes) return { fault: "size" };
    object ??= new Uint8Array(size);
    const part = object.subarray(n * partBytes, (n + 1) * partBytes);
    if ((await source.take(4))?.readInt32BE(0) !== part.length) return { fault: "rows" };
    if (n > 0 && part.length === 0) return { fault: "rows" };
    if (!(await source.fill(part))) return { fault: "rows" };
  }
  if (!(await source.isAtEnd())) return { fault: "format" };
  if (object === undefined) return undefined;
  return rows === Math.max(1, Math.ceil(object.length / partBytes)) ? object : { fault: "rows" };
}

interface Source {
  /** So many bytes; undefined where the stream ends before. */
  take(count: number): Promise<Buffer | undefined>;
  /** Fills the whole target; false where the stream ends before. */
  fill(target: Uint8Array): Promise<boolean>;
  isAtEnd(): Promise<boolean>;
}

function createSource(stream: AsyncIterable<Uint8Array>): Source {
  const chunks = stream[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array();
  let offset = 0;

  /** True while there are bytes at `offset`. */
  const more = async (): Promise<boolean> => {
    while (offset === chunk.length) {
      const next = await chunks.next();
      if (next.done) return false;
      [chunk, offset] = [next.value, 0];
    }
    return true;
  };
  const copy = async (target: Uint8Array): Promise<boolean> => {
    for (let at = 0; at < target.length; ) {
      if (!(await more())) return false;
      const piece = chunk.subarray(offset, offset + target.length - at);
      target.set(piece, at);
      offset += piece.length;
      at += piece.length;
    }
    return true;
  };

  return {
    async take(length) {
      const target = Buffer.alloc(length);
      return (await copy(target)) ? target : undefined;
    },
    fill: copy,
    isAtEnd: async () => !(await more()),
  };
}
