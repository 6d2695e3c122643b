import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isCspError } from "../../../src/core/errors.ts";
import { storeKey } from "../../../src/core/store-key.ts";
import {
  formatStoreRoot,
  isChannelName,
  parseStoreRoot,
  type Release,
  type StoreRoot,
} from "../../../src/core/store-root.ts";

const key = (kind: "blobs" | "releases", seed: string): string =>
  storeKey({ kind, digest: seed.repeat(128), nonce: seed.repeat(32) });
const hash = "ab".repeat(32);
const other = "cd".repeat(32);

const release: Release = {
  object: key("releases", "1"),
  size: 100,
  at: 1000,
  by: "ada@ci",
  reason: null,
  blobs: 2,
  bytes: 300,
  platforms: ["linux-arm64-musl", "linux-x64"],
  pin: { at: 1, by: "bob@desk", reason: "for the audit" },
};

const root: StoreRoot = {
  store: "0f".repeat(16),
  generation: 7,
  channels: new Map([
    [
      "stable",
      {
        release: hash,
        history: [
          { release: hash, at: 3, by: "ada@ci", reason: "again" },
          { release: other, at: 2, by: "ada@ci", reason: null },
        ],
      },
    ],
    ["10", { release: other, history: [{ release: other, at: 2, by: "ada@ci", reason: null }] }],
  ]),
  releases: new Map([
    [other, { ...release, object: key("releases", "2"), platforms: [] }],
    [hash, release],
  ]),
  intents: new Map([
    [
      "9".repeat(32),
      {
        purpose: "publish",
        bases: [key("releases", "1")],
        keys: [key("blobs", "a"), key("blobs", "b")],
        at: 5,
        by: "x",
      },
    ],
  ]),
  doomed: new Map([[key("blobs", "c"), 4]]),
  deleting: [key("blobs", "d"), key("releases", "d")],
};
const text = formatStoreRoot(root);

/** Why a text is refused; its code. */
function refusal(changed: string): { code: string; message: string } {
  try {
    parseStoreRoot(changed);
  } catch (error) {
    if (isCspError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("it was read");
}

/** The text with one field of its value replaced; the rest stays canonical. */
function withField(...path: readonly unknown[]): string {
  const value = path.at(-1);
  const raw = JSON.parse(text) as Record<string, unknown>;
  let at = raw;
  for (const each of path.slice(0, -2) as string[]) at = at[each] as Record<string, unknown>;
  at[path.at(-2) as string] = value;
  return JSON.stringify(raw);
}

describe("the root's text", () => {
  test("is read back as it was, and says its format first", () => {
    expect(parseStoreRoot(text)).toEqual(root);
    expect(text).toStartWith('{\n "format":1,\n');
    expect(text).toEndWith("}\n");
    const moved = { ...root, moved: { to: "s3://bucket/prefix", at: 9, by: "ada@ci" } };
    expect(parseStoreRoot(formatStoreRoot(moved))).toEqual(moved);
  });

  test("does not depend on the order in which a value was made", () => {
    const shuffled = {
      ...root,
      channels: new Map([...root.channels].reverse()),
      releases: new Map([...root.releases].reverse()),
    };
    expect(formatStoreRoot(shuffled)).toBe(text);
  });

  test("is one text for one value: every other form of the same JSON is refused", () => {
    expect(refusal(JSON.stringify(JSON.parse(text))).code).toBe("CSP_STORE_INVALID");
    for (const changed of [
      text.trimEnd(),
      ` ${text}`,
      `\ufeff${text}`,
      `${text}{}`,
      text.replace('"generation":7', '"generation":7.0'),
      text.replace('"generation":7', '"generation":7e0'),
      text.replace('"generation":7', '"generation":6,"generation":7'),
      text.replace('"format":1', '"format":1,"extra":1'),
      text.replace('"format":1', '"format":1,"__proto__":{}'),
      text.replace('"by":"x"', '"by":"x","__proto__":{"keys":[]}'),
      text.replace('"by":"x"', '"by":"\\u0078"'),
    ]) {
      expect(changed).not.toBe(text);
      expect(refusal(changed).code).toBe("CSP_STORE_INVALID");
    }
  });

  test("is cut or damaged anywhere: refused", () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 2 }), (at, put) => {
        const changed = text.slice(0, at) + put + text.slice(at + 1);
        if (changed === text) return;
        try {
          // A changed letter of a reason or digit of a number is another root, and has one text as well.
          expect(formatStoreRoot(parseStoreRoot(changed))).toBe(changed);
        } catch (error) {
          expect(isCspError(error, "CSP_STORE_INVALID") || isCspError(error, "CSP_STORE_NEWER")).toBe(true);
        }
        expect(() => parseStoreRoot(text.slice(0, at))).toThrow();
      }),
      { numRuns: 300 },
    );
  });

  const name = "9".repeat(32);
  test.each<[string, readonly unknown[], string]>([
    ["no store id", ["store", "x"], "`store` cannot be"],
    ["generation 0", ["generation", 0], "`generation` begins with 1"],
    ["negative generation", ["generation", -1], "`generation` is no number"],
    ["huge generation", ["generation", 2 ** 53], "`generation` is no number"],
    ["generation as text", ["generation", "7"], "`generation` is no number"],
    ["channels as a list", ["channels", []], "`channels` is no object"],
    ["channel name", ["channels", { Stable: {} }], "`channels` cannot be `Stable`"],
    ["channel without a release", ["channels", "stable", "release", null], "`release` cannot be"],
    ["channel to nowhere", ["channels", "stable", "history", 1, "release", "ef".repeat(32)], "that is not there"],
    ["channel beside its history", ["channels", "stable", "release", other], "does not begin with its release"],
    ["empty history", ["channels", "stable", "history", []], "does not begin with its release"],
    ["history too long", ["channels", "stable", "history", Array(1001).fill({})], "more than 1000"],
    ["release by a short hash", ["releases", { ab: {} }], "`releases` cannot be"],
    ["object that is a blob", ["releases", hash, "object", key("blobs", "1")], "no key of releases"],
    ["object outside", ["releases", hash, "object", "../x"], "no key of releases"],
    ["one object twice", ["releases", hash, "object", key("releases", "2")], "two releases have one object"],
    ["unknown platform", ["releases", hash, "platforms", ["Linux!"]], "no platform"],
    ["unsorted platforms", ["releases", hash, "platforms", ["linux-x64", "darwin-x64"]], "not sorted"],
    ["a name with an escape sequence", ["releases", hash, "by", "x\u001b[2J"], "`by` is no single line"],
    ["a long reason", ["releases", hash, "reason", "x".repeat(2001)], "`reason` is no single line"],
    ["a reason of two lines", ["releases", hash, "pin", "reason", "a\nb"], "`reason` is no single line"],
    ["a time beyond dates", ["releases", hash, "at", 9e15], "`at` is no number"],
    ["intent's purpose", ["intents", name, "purpose", "rest"], "`purpose` cannot be"],
    ["intent's id", ["intents", { x: {} }], "`intents` cannot be"],
    ["intent's keys unsorted", ["intents", name, "keys", [key("blobs", "b"), key("blobs", "a")]], "not sorted"],
    ["an intent's key twice", ["intents", name, "keys", [key("blobs", "b"), key("blobs", "b")]], "names a key twice"],
    ["a blob as a base", ["intents", name, "bases", [key("blobs", "b")]], "no key of releases"],
    ["doomed since ever", ["doomed", key("blobs", "c"), null], "`doomed` is no number"],
    ["a key doomed and deleted", ["doomed", key("blobs", "d"), 1], "still referred to"],
    ["a release being deleted", ["deleting", [key("releases", "1")]], "still referred to"],
    ["moved to a second line", ["moved", { to: "a\nb", at: 1, by: "" }], "`to` is no single line"],
  ])("%s is refused by name", (_, path, message) => {
    const { code, message: said } = refusal(withField(...path));
    expect(code).toBe("CSP_STORE_INVALID");
    expect(said).toContain(message);
    expect(said).not.toMatch(/[\u0000-\u001f]/);
  });

  test("a newer format is said to be newer, whatever else is in it", () => {
    expect(refusal('{"format":2,"releases":3}').code).toBe("CSP_STORE_NEWER");
    for (const format of ["0", "1.5", '"2"', "null", "-1"])
      expect(refusal(`{"format":${format}}`).code).toBe("CSP_STORE_INVALID");
    for (const odd of ["", "null", "[]", "[".repeat(200_000), '{"format":1}', "<html>"])
      expect(refusal(odd).code).toBe("CSP_STORE_INVALID");
  });

  test("what could not be read back is not written", () => {
    expect(() => formatStoreRoot({ ...root, generation: 2 ** 53 })).toThrow("`generation`");
    expect(() => formatStoreRoot({ ...root, deleting: [key("blobs", "c")] })).toThrow("still referred to");
  });
});

test("names of channels", () => {
  for (const good of ["stable", "7", "a.b-c_d", "x".repeat(64)]) expect(isChannelName(good)).toBe(true);
  for (const bad of ["", "A", "-a", ".a", "a/b", "a b", "x".repeat(65), "ä"]) expect(isChannelName(bad)).toBe(false);
});
