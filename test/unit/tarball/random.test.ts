/** Random trees come out as they went in; random damage is refused or harmless, never anything else. */
import { afterAll, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { foldName } from "../../../src/core/tar-path.ts";
import { gnuLong, manifest, pax, sealHeader, type TarPart, tar, tgz } from "../../support/tar-builder.ts";
import { type Attempt, createBox } from "../../support/unpack-box.ts";

const box = createBox();
afterAll(() => box[Symbol.dispose]());

const segment = fc
  .oneof(
    fc.stringMatching(/^[a-z0-9._-]{1,12}$/),
    fc.stringMatching(/^[A-Za-z ]{1,8}$/),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 5 }),
    fc.constantFrom("x".repeat(90), "é".repeat(60)),
  )
  .filter((text) => !/^\.{1,2}$|[/\\:]|[\x00-\x1f\x7f-\x9f]/.test(text) && text.isWellFormed());

/** Path to content; no path is another's parent or its twin on some file system. */
const trees = fc
  .dictionary(
    fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/")),
    fc.uint8Array({ maxLength: 1500 }),
    { maxKeys: 12, noNullPrototype: true },
  )
  .map((tree) => {
    const kept: Record<string, Buffer> = {};
    const taken = new Map<string, string>([["package.json", ""]]);
    for (const [path, bytes] of Object.entries(tree)) {
      const steps = path.split("/").map((_, i, all) => all.slice(0, i + 1).join("/"));
      const free = steps.every((step, i) => {
        const spelt = taken.get(foldName(step));
        return spelt === undefined || (i < steps.length - 1 && spelt === `${step}/`);
      });
      if (!free) continue;
      for (const step of steps) taken.set(foldName(step), step === path ? step : `${step}/`);
      kept[path] = Buffer.from(bytes);
    }
    return kept;
  });

/** A long name in one of the ways that tar has for them. */
function entry(path: string, body: Buffer, gnu: boolean): TarPart[] {
  const name = `package/${path}`;
  if (Buffer.byteLength(name) <= 100) return [{ name, body }];
  return [gnu ? gnuLong("L", name) : pax({ path: name }), { name: "package/cut", body }];
}

test("a random tree comes out as it went in", async () => {
  await fc.assert(
    fc.asyncProperty(trees, fc.boolean(), fc.boolean(), async (tree, gnu, stream) => {
      const parts = Object.entries(tree).flatMap(([path, body]) => entry(path, body, gnu));
      const attempt = await box.unpack(tgz([manifest(), ...parts]), undefined, stream ? { wholeBytes: 0 } : {});
      expect(attempt.message).toBe("");
      const { "package.json": _, ...files } = attempt.files;
      const expected = Object.fromEntries(Object.entries(tree).map(([path, body]) => [path, body.toString("latin1")]));
      expect(files).toEqual(expected);
      expect(attempt.changed).toEqual([]);
    }),
    { numRuns: 100 },
  );
}, 30_000);

/** Whatever the damage: nothing outside changes, a refusal leaves nothing, and there is no other error. */
function expectHarmless(attempt: Attempt): void {
  expect(attempt.changed).toEqual([]);
  if (attempt.error === undefined) expect(Object.values(attempt.files)).not.toContain("NOT A FILE");
  else expect([attempt.rule, attempt.error]).toEqual([expect.any(String), attempt.error]);
  expect(attempt.exists).toBe(attempt.error === undefined);
}

const sample = tar([
  pax({ comment: "x" }, "g"),
  manifest({ bin: { demo: "cli.js" } }),
  { name: "package/cli.js", body: "#!/usr/bin/env node\n", mode: 0o755 },
  { name: "package/lib", type: "5" },
  pax({ path: `package/lib/${"long/".repeat(30)}x`, size: "3" }),
  { name: "package/cut", body: "abc" },
  gnuLong("L", `package/${"gnu/".repeat(30)}y`),
  { name: "package/cut", body: "y".repeat(600), format: "gnu" },
  { name: "package/link", type: "2", link: "cli.js" },
]);

test("any one byte of the archive changed, with and without a right checksum", async () => {
  const mutations = fc.record({
    at: fc.nat(sample.length - 1),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 0x2e, 0x2f, 0x5c, 0x31, 0x32, 0x78)),
    seal: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(mutations, async ({ at, byte, seal }) => {
      const bytes = Buffer.from(sample);
      bytes[at] = byte;
      const block = at - (at % 512);
      // Only headers have their magic there.
      if (seal && sample.toString("latin1", block + 257, block + 262) === "ustar") {
        sealHeader(bytes.subarray(block, block + 512));
      }
      expectHarmless(await box.unpack(gzipSync(bytes, { level: 1 })));
    }),
    { numRuns: 250 },
  );
}, 30_000);

test("any one bit of the gzip file flipped, or its end cut off", async () => {
  const whole = gzipSync(sample);
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), fc.boolean(), async (at, bit, cut) => {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      const attempt = await box.unpack(cut ? whole.subarray(0, at) : bytes);
      expectHarmless(attempt);
      if (cut) expect(attempt.error).toBeDefined();
    }),
    { numRuns: 150 },
  );
}, 30_000);
