/** Objects as rows of COPY: what is written is read, however it is cut, and nothing else is taken for an object. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeObject, encodeRows } from "../../../src/store/postgres/copy.ts";
import { bytesOf, expectSame } from "./objects.ts";

const key = `blobs/${"a".repeat(128)}.${"b".repeat(32)}`;

interface Row {
  n: number | null;
  size: bigint | null;
  bytes: Uint8Array | null;
}

/** The answer to `copy (select n, size, bytes …) to stdout (format binary)`. */
function answer(rows: readonly Row[], { head = "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", end = "\xff\xff" } = {}): Buffer {
  const parts: Buffer[] = [Buffer.from(head, "latin1")];
  const field = (bytes: Uint8Array | null): void => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes === null ? -1 : bytes.length);
    parts.push(length, Buffer.from(bytes ?? []));
  };
  for (const { n, size, bytes } of rows) {
    parts.push(Buffer.from([0, 3]));
    const [small, big] = [Buffer.alloc(4), Buffer.alloc(8)];
    small.writeInt32BE(n ?? 0);
    big.writeBigInt64BE(size ?? 0n);
    field(n === null ? null : small);
    field(size === null ? null : big);
    field(bytes);
  }
  return Buffer.concat([...parts, Buffer.from(end, "latin1")]);
}

/** The rows that the server would store for what csp sends. */
function rowsOf(sent: Buffer): Row[] {
  const rows: Row[] = [];
  let at = 19;
  const field = (): Buffer => {
    const length = sent.readInt32BE(at);
    at += 4 + length;
    return sent.subarray(at - length, at);
  };
  while (sent.readInt16BE(at) === 4) {
    at += 2;
    expect(field().toString()).toBe(key);
    rows.push({ n: field().readInt32BE(0), size: field().readBigInt64BE(0), bytes: field() });
  }
  expect(sent.readInt16BE(at)).toBe(-1);
  expect(at + 2).toBe(sent.length);
  return rows;
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Reads an answer in small pieces. */
function decode(bytes: Uint8Array, size = 9): Promise<unknown> {
  return decodeObject(cut(bytes, size), limits);
}

const limits = { partBytes: 10, maxBytes: 100 };

test("what is written is read, for every length and however the stream is cut", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(64), fc.integer({ min: 1, max: 200 }), async (length, size) => {
      const bytes = bytesOf(length, length);
      const rows = rowsOf(Buffer.concat([...encodeRows(key, bytes, 10)]));
      expect(rows.length).toBe(Math.max(1, Math.ceil(length / 10)));
      const object = await decodeObject(cut(answer(rows), size), limits);
      expectSame(object as Uint8Array, bytes);
      expect((object as Uint8Array).buffer.byteLength).toBe(length);
    }),
    { numRuns: 200 },
  );
});

test("no row is no object", async () => {
  expect(await decode(answer([]), 7)).toBeUndefined();
});

const part = (n: number, length: number, size = 15): Row => ({ n, size: BigInt(size), bytes: new Uint8Array(length) });
const whole = [part(0, 10), part(1, 5)];

test.each<[string, readonly Row[]]>([
  ["the first part missing", [part(1, 5)]],
  ["the last part missing", [part(0, 10)]],
  ["a part twice", [part(0, 10), part(0, 10)]],
  ["a part too many", [...whole, part(2, 0)]],
  ["a part too many, with bytes", [...whole, part(2, 5)]],
  ["an empty object with two parts", [part(0, 0, 0), part(1, 0, 0)]],
  ["a short part", [part(0, 9), part(1, 6)]],
  ["a long part", [part(0, 11), part(1, 4)]],
  ["a part beyond the limit of a row", [part(0, 15)]],
  ["sizes that differ", [part(0, 10), part(1, 5, 16)]],
  ["a negative size", [part(0, 0, -1)]],
  ["no bytes", [part(0, 10), { n: 1, size: 15n, bytes: null }]],
  ["no bytes in an empty object", [{ n: 0, size: 0n, bytes: null }]],
  ["no number", [{ n: null, size: 15n, bytes: new Uint8Array(10) }]],
  ["no size", [{ n: 0, size: null, bytes: new Uint8Array(1) }]],
])("%s is no object", async (_, rows) => {
  expect(await decode(answer(rows), 9)).toEqual({ fault: "rows" });
});

test("an object beyond the limit is not read", async () => {
  const given: number[] = [];
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of cut(answer([part(0, 10, 101), part(1, 10, 101)]), 45)) {
      given.push(chunk.length);
      yield chunk;
    }
  }
  expect(await decodeObject(counted(), limits)).toEqual({ fault: "size" });
  expect(given).toEqual([45]);
  expect(await decode(answer([part(0, 0, Number.MAX_SAFE_INTEGER)]), 40)).toEqual({ fault: "size" });
});

test("what is no COPY, or goes on after its end, is noticed", async () => {
  const format = { fault: "format" };
  expect(await decode(answer(whole, { head: "PGCOPY\n\xff\r\n\0\0\0\0\x01\0\0\0\0" }), 9)).toEqual(format);
  expect(await decode(Buffer.from("<html>"), 9)).toEqual(format);
  expect(await decode(answer(whole, { end: "\xff\xff\0" }), 9)).toEqual(format);
  expect(await decode(answer(whole, { end: "" }), 9)).toEqual(format);
});

test("a stream that ends anywhere gives no object", async () => {
  const complete = answer(whole);
  for (let length = 0; length < complete.length; length++) {
    const object = await decode(complete.subarray(0, length), 11);
    expect(object).toHaveProperty("fault");
  }
});
