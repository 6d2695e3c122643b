/** Versions of stores as entity tags. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { tagOf, versionOf } from "../../../src/ops/serve/root-route.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import type { Store } from "../../../src/store/store.ts";
import { serveOver } from "../../support/servers/serve.ts";

test("any version is a tag, and comes back from it", () => {
  const versions = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(versions, (version) => {
      expect(tagOf(version)).toMatch(/^"[\x21\x23-\x7e]+"$/);
      expect(versionOf(tagOf(version))).toBe(version);
    }),
  );
});

test("what is no tag of ours is no version", () => {
  for (const text of [
    "",
    '"',
    '""',
    "x",
    '"x',
    '"%"',
    '"%zz"',
    '"a b"',
    '"a"b"',
    "*",
    '"a", "b"',
    `"${"x".repeat(1001)}"`,
  ]) {
    expect(versionOf(text)).toBeUndefined();
  }
});

test("a server gives, and takes, versions of any characters", async () => {
  const version = "a\"b%22c'd,e;é";
  const odd: Store = {
    ...createMemoryStore(),
    root: {
      read: async (known) => (known === version ? "unchanged" : { version, text: "{}" }),
      swap: async (expected) => (expected === version ? version : undefined),
    },
  };
  const over = await serveOver(odd);
  const client = over.client();
  const state = await client.root.read();
  if (state === undefined || state === "unchanged") throw new Error("no root");
  expect(state.version).toMatch(/^etag:[\x21-\x7e]+$/);
  expect(await client.root.read(state.version)).toBe("unchanged");
  expect(await client.root.swap(state.version, "{}")).toBe(state.version);
  expect(await client.root.swap("etag:other", "{}")).toBeUndefined();
  await over.stop();
});
