/** The reader gives the same entries however its input is cut into chunks, and copies no content. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createTarReader, type TarSink } from "../../../src/core/tar.ts";
import { defaultUnpackLimits } from "../../../src/tree/unpack.ts";
import { endBlocks, gnuLong, manifest, pax, tar } from "../../support/tar-builder.ts";

const archive = Buffer.concat([
  tar([
    pax({ comment: "x" }, "g"),
    manifest(),
    { name: "package/empty" },
    { name: "package/block", body: "b".repeat(512), mode: 0o755 },
    pax({ path: `package/${"é/".repeat(60)}x` }),
    { name: "package/cut", body: "x".repeat(1300) },
    gnuLong("L", `package/${"y".repeat(200)}`),
    { name: "package/cut", body: "y" },
    { name: "package/dir/", type: "5" },
    gnuLong("K", `${"t/".repeat(80)}t`),
    { name: "package/link", type: "2", link: "cut" },
    { name: "package/hard", type: "1", link: "package/block" },
  ]),
  endBlocks,
]);

/** Everything the sink hears, with the content of each file joined. */
function read(chunks: readonly Uint8Array[]): string[] {
  const heard: string[] = [];
  let content: Uint8Array[] = [];
  const sink: TarSink = {
    file: (name, executable, size) => void heard.push(`file ${name} ${executable} ${size}`),
    data: (bytes, from, to) => void content.push(Uint8Array.from(bytes.subarray(from, to))),
    fileEnd: () => {
      heard.push(`content ${Buffer.concat(content)}`);
      content = [];
    },
    directory: (name) => void heard.push(`directory ${name}`),
    link: (name, target, kind) => void heard.push(`${kind} ${name} ${target}`),
  };
  const reader = createTarReader(defaultUnpackLimits, sink);
  for (const chunk of chunks) reader.push(chunk);
  heard.push(JSON.stringify(reader.end()));
  return heard;
}

const whole = read([archive]);

test("an archive in one piece", () => {
  expect(whole).toEqual([
    "file package/package.json false 33",
    'content {"name":"demo","version":"1.0.0"}',
    "file package/empty false 0",
    "content ",
    "file package/block true 512",
    `content ${"b".repeat(512)}`,
    `file package/${"é/".repeat(60)}x false 1300`,
    `content ${"x".repeat(1300)}`,
    `file package/${"y".repeat(200)} false 1`,
    "content y",
    "directory package/dir/",
    `symbolic package/link ${"t/".repeat(80)}t`,
    "hard package/hard package/block",
    '{"entries":12,"closed":true}',
  ]);
});

test("the same archive in chunks of every kind", () => {
  for (const size of [1, 7, 511, 512, 513, 1024]) {
    const count = Math.ceil(archive.length / size);
    expect(read(Array.from({ length: count }, (_, i) => archive.subarray(i * size, (i + 1) * size)))).toEqual(whole);
  }
  const cuts = fc.array(fc.nat(archive.length), { maxLength: 30 });
  fc.assert(
    fc.property(cuts, (places) => {
      const sorted = [0, ...places.sort((a, b) => a - b), archive.length];
      expect(read(sorted.slice(1).map((to, i) => archive.subarray(sorted[i], to)))).toEqual(whole);
    }),
    { numRuns: 200 },
  );
});

test("content is handed over without a copy", () => {
  const seen = new Set<ArrayBufferLike>();
  const nothing = () => {};
  createTarReader(defaultUnpackLimits, {
    file: nothing,
    data: (bytes) => void seen.add(bytes.buffer),
    fileEnd: nothing,
    directory: nothing,
    link: nothing,
  }).push(archive);
  expect([...seen]).toEqual([archive.buffer]);
});
