/** What may stand around and instead of the gzip data, and how bombs end; in one call and as a stream. */
import { afterAll, describe, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { TarRule } from "../../../src/core/tar-rules.ts";
import { demo, manifest, tar, tgz } from "../../support/tar-builder.ts";
import { createBox } from "../../support/unpack-box.ts";

const box = createBox();
afterAll(() => box[Symbol.dispose]());

/** Content that does not compress away. */
const noise = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 31 + (i >> 3) * 17) & 0xff));
const sound = demo({ name: "package/noise", body: noise });
const plain = tar([manifest()]);

/** The sound archive with some bits of one byte flipped. */
function flipped(at: number, bits: number): Buffer {
  const copy = Buffer.from(sound);
  copy[at] = (copy[at] ?? 0) ^ bits;
  return copy;
}

const bad: [title: string, rule: TarRule, bytes: Uint8Array, message?: RegExp][] = [
  ["nothing", "not-gzip", Buffer.alloc(0), /is empty instead of a gzip file/],
  ["a tar without compression", "not-gzip", plain, /is a tar file without compression/],
  ["a zip", "not-gzip", Buffer.from("PK\x03\x04more"), /is a zip file/],
  ["a zstd file", "not-gzip", zstdCompressSync(plain), /is a zstd file/],
  ["a web page", "not-gzip", Buffer.from("\n <!DOCTYPE html><html><title>Sign in</title>"), /is a web page/],
  ["JSON", "not-gzip", Buffer.from('{"error":"not found"}'), /is JSON/],
  ["zeros", "not-gzip", Buffer.alloc(1000), /is something else/],
  ["the two magic bytes alone", "not-gzip", Buffer.from([0x1f, 0x8b])],
  ["a gzip header alone", "gzip-truncated", sound.subarray(0, 10)],
  ["half of it", "gzip-truncated", sound.subarray(0, sound.length >> 1)],
  ["all but the last byte", "gzip-truncated", sound.subarray(0, -1)],
  ["all but the trailer", "gzip-truncated", sound.subarray(0, -8)],
  ["a wrong checksum", "gzip-corrupt", flipped(sound.length - 8, 1), /incorrect data check/],
  ["a changed byte in the middle", "gzip-corrupt", flipped(sound.length >> 1, 0x55)],
  ["a reserved flag", "gzip-corrupt", flipped(3, 0xe0)],
  ["text after the end", "gzip-trailing-data", Buffer.concat([sound, Buffer.from("garbage")])],
  ["text after zero padding", "gzip-trailing-data", Buffer.concat([sound, Buffer.alloc(64), Buffer.from("garbage")])],
  ["a second member after zero padding", "gzip-trailing-data", Buffer.concat([sound, Buffer.alloc(512), sound])],
  ["a second member that is cut", "gzip-truncated", Buffer.concat([sound, sound.subarray(0, 40)])],
  ["a second archive as second member", "data-after-end", Buffer.concat([sound, sound])],
];

describe.each([16 * 1024 ** 2, 0])("with %d bytes at most in one call", (wholeBytes) => {
  test.each(bad.map(([title, rule, bytes, message = /is refused/]) => ({ title, rule, bytes, message })))(
    "$title",
    async ({ rule, bytes, message }) => {
      const attempt = await box.unpack(bytes, undefined, { wholeBytes });
      expect([attempt.rule, attempt.message]).toEqual([rule, attempt.message]);
      expect(attempt.message).toMatch(message);
      expect(attempt.exists).toBe(false);
    },
  );

  test("a trailer that lies about the size", async () => {
    for (const size of [0, 1, 6000, 0x7fffffff, 0xffffffff]) {
      const lie = Buffer.from(sound);
      lie.writeUInt32LE(size, lie.length - 4);
      expect((await box.unpack(lie, undefined, { wholeBytes })).rule).toBe("gzip-corrupt");
    }
  });

  test("members of any size, where the last trailer tells only part of the whole", async () => {
    const bytes = tar([manifest(), { name: "package/noise", body: noise }]);
    const members = [0, 1, 511, 3000].map((at, i, all) => gzipSync(bytes.subarray(at, all[i + 1])));
    const attempt = await box.unpack(Buffer.concat([...members, Buffer.alloc(100)]), undefined, { wholeBytes });
    expect(attempt.message).toBe("");
    expect(Buffer.from(attempt.files.noise ?? "", "latin1")).toEqual(noise);
  });
});

test("a bomb ends at the ratio, long before it is unpacked", async () => {
  const bomb = demo({ name: "package/zeros", body: Buffer.alloc(32 * 1024 ** 2) });
  const limits = { ratioFrom: 1024 ** 2, wholeBytes: 1024 };
  expect(bomb.length).toBeLessThan(40_000);
  const attempt = await box.unpack(bomb, undefined, limits);
  expect([attempt.rule, attempt.exists]).toEqual(["ratio", false]);
  expect((await box.unpack(bomb, undefined, { ...limits, ratio: 2000 })).result?.bytes).toBeGreaterThan(32 * 1024 ** 2);
});

test("a bomb in a trailer that announces little", async () => {
  // Two members: the last says that it holds nothing.
  const bomb = Buffer.concat([
    gzipSync(tar([manifest(), { name: "package/zeros", body: Buffer.alloc(8 * 1024 ** 2) }])),
    gzipSync(Buffer.alloc(0)),
  ]);
  expect((await box.unpack(bomb, undefined, { unpackedBytes: 1024 ** 2 })).rule).toBe("unpacked-size");
  expect((await box.unpack(bomb, undefined, { ratioFrom: 1024 ** 2 })).rule).toBe("ratio");
  expect((await box.unpack(bomb)).result?.files).toBe(2);
});

test("content that arrives as a stream is that of one call, whatever the size of the files", async () => {
  const parts = [0, 1, 511, 512, 513, 262_143, 262_144, 262_145, 700_000].map((size) => ({
    name: `package/f${size}`,
    body: Buffer.alloc(size, String(size)),
  }));
  const bytes = tgz([manifest(), ...parts]);
  const whole = await box.unpack(bytes);
  const streamed = await box.unpack(bytes, undefined, { wholeBytes: 0 });
  expect(streamed.message).toBe("");
  expect(streamed.files).toEqual(whole.files);
  for (const { name, body } of parts) expect(whole.files[name.slice(8)]).toBe(body.toString());
});
