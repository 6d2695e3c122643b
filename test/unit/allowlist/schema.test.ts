import { describe, expect, test } from "bun:test";
import schema from "../../../docs/schemas/script-packages.schema.json";
import { parseAllowlist } from "../../../src/core/allowlist.ts";
import { knownKeys } from "../../../src/core/allowlist-settings.ts";

const { properties, definitions } = schema;
const entry = properties.packages.additionalProperties.anyOf[1]?.properties ?? ({} as Record<string, never>);

test("the schema for editors knows the keys that csp knows", () => {
  expect(Object.keys(properties).sort()).toEqual([...knownKeys.top].sort());
  expect(Object.keys(entry).sort()).toEqual([...knownKeys.entry].sort());
  expect(Object.keys(properties.registry.properties).sort()).toEqual([...knownKeys.registry].sort());
  expect(Object.keys(properties.sizeCap.properties).sort()).toEqual([...knownKeys.sizeCap].sort());
  expect(Object.keys(properties.gc.properties).sort()).toEqual([...knownKeys.gc].sort());
});

/** A setting with the value in quotes, the pattern the schema has for it, and values of both sorts. */
const patterns: [string, (value: string) => string, string, string[]][] = [
  [
    "version",
    (v) => `packages: { a: "${v}" }`,
    definitions.pin.pattern,
    [
      "1.2.3",
      "1.2.3-rc.1+b",
      "npm:@a/b@1.0.0",
      "npm:B@1.0.0",
      "^1",
      "1.10",
      "latest",
      "npm:a",
      "npm:../a@1.0.0",
      "npm:.a@1.0.0",
      "01.2.3",
      "git+https://git.example.com/a",
      "",
    ],
  ],
  [
    "name",
    (v) => `packages: { "${v}": 1.0.0 }`,
    properties.packages.propertyNames.pattern,
    ["lodash", "@a/b", "a.b_c-d", "7zip", "Lodash", ".bin", "_a", "-a", "../a", "@a", "@a/.b", "a b", "é"],
  ],
  [
    "registry",
    (v) => `registry: { url: "${v}" }`,
    definitions.registryUrl.pattern,
    [
      "https://npm.example.com/",
      "http://127.0.0.1:4873",
      "ftp://npm.example.com/",
      "npm.example.com",
      "https://u:p@npm.example.com/",
      "https://npm.example.com/?a",
      "https://npm.example.com/#a",
    ],
  ],
  [
    "scope",
    (v) => `registry: { scopes: { "${v}": "https://npm.example.com/" } }`,
    properties.registry.properties.scopes.propertyNames.pattern,
    ["@a", "@A", "@a.b", "a", "@", "@a/b", "@.a", "@a b"],
  ],
  [
    "size",
    (v) => `sizeCap: { warn: "${v}" }`,
    definitions.size.pattern,
    ["150MB", "1.5 GiB", "1B", "150", "150mb", "MB", "-1MB", "1e3MB"],
  ],
  [
    "duration",
    (v) => `minimumReleaseAge: "${v}"`,
    definitions.duration.pattern,
    ["3d", "36h", "1.5 h", "10ms", "3", "3D", "3 days", "-3d"],
  ],
  [
    "platform",
    (v) => `platforms: ["${v}"]`,
    properties.platforms.items.pattern,
    [
      "linux-x64",
      "linux-arm64-musl",
      "darwin-arm64",
      "win32-x64",
      "linux",
      "darwin-arm64-musl",
      "linux-x86",
      "x64-linux",
    ],
  ],
  [
    "store",
    (v) => `store: "${v}"`,
    definitions.store.pattern,
    [
      "s3://bucket/x",
      "file:/srv/csp",
      "postgres://db.example.com/x",
      "https://csp.example.com/",
      "oci://r.example.com/x",
      "/srv/csp",
      "s4://x",
      "x",
    ],
  ],
  ["linker", (v) => `linker: "${v}"`, `^(?:${properties.linker.enum.join("|")})$`, ["isolated", "hoisted", "flat", ""]],
];

describe.each(patterns)("the schema judges a %s as csp does", (_, textOf, pattern, values) => {
  test.each(values)("%p", (value) => {
    expect(accepts(textOf(value))).toBe(new RegExp(pattern).test(value));
  });
});

test("the defaults of the schema are those of csp", () => {
  const { linker, gc, packages } = parseAllowlist("packages: { a: { version: 1.0.0 } }", "f");
  expect(properties.linker.default).toBe(linker);
  expect(properties.gc.properties.keepPrevious.default).toBe(gc.keepPrevious);
  expect(packages.get("a")).toMatchObject({ enabled: entry.enabled?.default, optional: entry.optional?.default });
});

function accepts(text: string): boolean {
  try {
    parseAllowlist(text, "f");
    return true;
  } catch {
    return false;
  }
}
