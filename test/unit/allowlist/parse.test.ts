import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Allowlist, parseAllowlist } from "../../../src/core/allowlist.ts";
import { newAllowlist } from "../../../src/core/allowlist-new.ts";
import { type CspError, isCspError } from "../../../src/core/errors.ts";
import { mutated, samples, soup } from "./samples.ts";

const file = "script-packages.yaml";

function parse(text: string): Allowlist {
  return parseAllowlist(text, file);
}

function failure(text: string): CspError {
  try {
    parse(text);
  } catch (error) {
    if (isCspError(error, "CSP_ALLOWLIST_INVALID")) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

describe("a valid allowlist", () => {
  test.each(["full", "windows line breaks", "byte order mark"])("has typed values: %s", (name) => {
    const { packages, registry, ...rest } = parse(samples[name] ?? "");
    expect([...packages.values()]).toEqual([
      { key: "leftpad", name: "leftpad", version: "0.0.1", enabled: true, optional: false, line: 4 },
      { key: "@acme/tools", name: "@acme/tools", version: "2.1.0", enabled: true, optional: false, line: 5 },
      {
        key: "lodash",
        name: "lodash",
        version: "4.17.21",
        enabled: false,
        optional: false,
        reason: "only for the old reports",
        line: 6,
      },
      { key: "events-npm", name: "events", version: "3.3.0", enabled: true, optional: false, line: 8 },
      { key: "sharp", name: "sharp", version: "0.33.5", enabled: true, optional: true, line: 9 },
    ]);
    expect([...packages.keys()]).toEqual(["leftpad", "@acme/tools", "lodash", "events-npm", "sharp"]);
    expect(registry.url).toBe("https://npm.example.com/");
    expect([...registry.scopes]).toEqual([["@acme", "https://npm.acme.example/"]]);
    expect(rest).toEqual({
      linker: "hoisted",
      platforms: [
        { os: "linux", cpu: "x64", libc: "glibc" },
        { os: "linux", cpu: "arm64", libc: "musl" },
        { os: "darwin", cpu: "arm64", libc: undefined },
      ],
      sizeCap: { warn: 150_000_000, block: 300_000_000 },
      minimumReleaseAge: 259_200_000,
      stores: ["s3://script-packages/prod"],
      minimumFreeSpace: 500_000_000,
      gc: { keepPrevious: 2, keepReleases: 10, treeGrace: 7_200_000, blobGrace: 129_600_000, auto: true },
    });
  });

  test.each(["empty", "comments only", "packages without value", "packages as {}"])("may allow nothing: %s", (name) => {
    const { packages, registry, ...rest } = parse(samples[name] ?? "");
    expect(packages.size).toBe(0);
    expect(registry).toEqual({ scopes: new Map() });
    expect(rest).toEqual({
      linker: "isolated",
      platforms: undefined,
      sizeCap: {},
      minimumReleaseAge: undefined,
      minimumFreeSpace: undefined,
      stores: [],
      gc: { keepPrevious: 1, keepReleases: 10, treeGrace: 3_600_000, blobGrace: 86_400_000, auto: false },
    });
  });

  test.each(Object.entries(samples))("every sample is one: %s", (_, text) => {
    expect(() => parse(text)).not.toThrow();
  });

  test("a reason of several lines becomes one", () => {
    const { packages } = parse(samples["reason on lines"] ?? "");
    expect([...packages.values()].map((entry) => entry.reason)).toEqual(["one two", "long story"]);
  });

  test("an address of a registry ends with a slash, whatever was written", () => {
    expect(parse("registry: { url: HTTPS://NPM.example.com/a }").registry.url).toBe("https://npm.example.com/a/");
  });

  test("a store may name a Postgres user, which is no secret", () => {
    expect(parse("store: postgres://csp@db.example.com/packages").stores).toEqual([
      "postgres://csp@db.example.com/packages",
    ]);
    expect(parse("store: [s3://a/b, https://csp.example.com/]").stores).toEqual([
      "s3://a/b",
      "https://csp.example.com/",
    ]);
  });
});

describe("mistakes in packages", () => {
  test.each([
    ["a: 1.10", "1:15", "`1.10` is a number in YAML and would be read as 1.1: quote it"],
    ["a: 4", "1:15", "`4` is a number in YAML"],
    ["a: ^1.2.3", "1:15", "csp pins exact versions, and that is a range"],
    ["a: latest", "1:15", "csp pins exact versions, and that is a tag"],
    ["a: 1.2.3.4", "1:15", "csp pins exact versions"],
    ["a: npm:b@^1", "1:15", "csp pins exact versions"],
    ["a: npm:b", "1:15", "there is no version"],
    ["a: npm:../b@1.0.0", "1:15", "`../b` cannot be the name"],
    ["a: git+ssh://git.example.com/x", "1:15", "a git repository"],
    ["a: file:../x", "1:15", "a file"],
    ["a: ''", "1:15", "there is no version"],
    ["a: ~", "1:15", "not nothing"],
    ["a: true", "1:15", "the boolean `true`"],
    ["a: [1.0.0]", "1:15", "not a list"],
    ["a: {}", "1:12", "has no `version`"],
    ["a: { version: 1.10 }", "1:26", "would be read as 1.1"],
    ["a: { version: 1.0.0, enabld: false }", "1:33", "did you mean `enabled`?"],
    ["a: { version: 1.0.0, enabled: no }", "1:42", "`enabled` is `true` or `false`, not `no`"],
    ["a: { version: 1.0.0, optional: 1 }", "1:43", "`optional` is `true` or `false`, not the number `1`"],
    ["a: { version: 1.0.0, reason: [] }", "1:41", "`reason` is a text, not a list"],
    ["a: 1.0.0, a: 1.0.0", "1:22", "`a` stands twice"],
    ["Lodash: 1.0.0", "1:12", "names are lower case"],
    ["../x: 1.0.0", "1:12", "cannot be the name"],
    [".bin: 1.0.0", "1:12", "starts with `.`"],
    ["__proto__: 1.0.0", "1:12", "reserved"],
    ["constructor: 1.0.0", "1:12", "reserved"],
    ["fs: 1.0.0", "1:12", "module of the runtime"],
    ["1.10: 1.0.0", "1:12", "`1.10` would be read as the number 1.1: quote it"],
    [`${"x".repeat(215)}: 1.0.0`, "1:12", "longer than 214"],
  ])("packages: {%s}", (entry, place, why) => {
    const [line] = failure(`packages: {${entry} }`).details;
    expect(line).toStartWith(`${file}:${place}  `);
    expect(line).toContain(why);
  });

  test("a range comes with the command that pins it", () => {
    expect(failure("packages: { lodash: ^4 }").hint).toBe("to pin a version that fits, run `csp add lodash@<range>`");
  });
});

describe("mistakes in settings", () => {
  test.each([
    ["registy: {}", "1:1", "did you mean `registry`?"],
    ["lodash: 1.0.0", "1:1", "known are packages, registry"],
    ["- a", "1:1", "a map of names to values, not a list"],
    ["packages: [a]", "1:11", "a map of names to values, not a list"],
    ["packages: ~", "1:11", "a map of names to values, not nothing"],
    ["~", "1:1", "a map of names to values, not nothing"],
    ["packages: x", "1:11", "a map of names to values, not `x`"],
    ["linker: isolatd", "1:9", "did you mean `isolated`?"],
    ["linker:", "1:1", "not nothing"],
    ["linker: isolated\nlinker: hoisted", "2:1", "`linker` stands twice"],
    ["registry: { url: npm.example.com }", "1:18", "is the address of a registry"],
    ["registry: { url: ftp://npm.example.com }", "1:18", "is the address of a registry"],
    ["registry: { url: 'https://npm.example.com/?a=b' }", "1:18", "has a `?`"],
    ["registry: { uri: https://npm.example.com/ }", "1:13", "did you mean `url`?"],
    ["registry: { scopes: { acme: https://npm.example.com/ } }", "1:23", "`acme` is not a scope"],
    ["registry: { scopes: { '@a/b': https://npm.example.com/ } }", "1:23", "`@a/b` is not a scope"],
    ["platforms: linux-x64", "1:12", "is a list"],
    ["platforms: []", "1:12", "leave it out"],
    ["platforms: [linux]", "1:13", "`linux` is not a platform"],
    ["platforms: [linx-x64]", "1:13", "did you mean `linux-x64`?"],
    ["platforms: [darwin-arm64-musl]", "1:13", "is not a platform"],
    ["platforms: [linux-x64, linux-x64]", "1:24", "stands twice"],
    ["platforms: [1]", "1:13", "the number `1`"],
    ["sizeCap: { warn: 150 }", "1:18", "a number and a unit"],
    ["sizeCap: { warn: 1GB, block: 1MB }", "1:30", "smaller than `warn`"],
    ["minimumReleaseAge: 3", "1:20", "a number and a unit"],
    ["minimumFreeSpace: 500", "1:19", "a number and a unit"],
    ["gc: { auto: yes }", "1:13", "`auto` is `true` or `false`, not"],
    ["minimumReleaseAge: 3 days", "1:20", "a number and a unit"],
    ["store: /srv/csp", "1:8", "`file:/srv/csp`"],
    ["store: s4://bucket", "1:8", "did you mean `s3:`?"],
    ["gc: { keepPrevious: 1.5 }", "1:21", "a whole number"],
    ["gc: { keepPrevious: '1' }", "1:21", "a whole number"],
    ["gc: { treeGrace: 1 }", "1:18", "a number and a unit"],
    ["a: b: c", "1:4", "indentation"],
    ["packages:\n\ta: 1.0.0", "2:1", "a tab"],
  ])("%s", (text, place, why) => {
    const [line] = failure(text).details;
    expect(line).toStartWith(`${file}:${place}  `);
    expect(line).toContain(why);
  });

  test.each([
    "registry: { url: https://u:s3cret@npm.example.com/ }",
    "registry: { url: https://s3cret@npm.example.com/ }",
    "registry: { url: 'https://npm.example.com/?token=s3cret' }",
    "registry: { url: 'https://npm.example.com:s3cret/' }",
    "registry: { scopes: { '@a': https://u:s3cret@npm.example.com/ } }",
    "store: postgres://u:s3cret@db.example.com/x",
    "store: postgres://db.example.com/x?password=s3cret",
    "store: s3://s3cret@bucket/x",
    "store: https://u:s3cret@csp.example.com/",
    "packages: { a: 'https://u:s3cret@npm.example.com/a.tgz' }",
    "packages: { a: 'git+https://s3cret@git.example.com/a' }",
  ])("a credential is refused and not repeated: %s", (text) => {
    const error = failure(text);
    expect(JSON.stringify([error.message, error.details, error.hint, error.data])).not.toContain("s3cret");
  });
});

test("all mistakes are told at once, in the order of the file", () => {
  const error = failure("gc: 1\npackages:\n  Lodash: ^1\n  b: 1.10\nlinker: x\n");
  expect(error.message).toBe("`script-packages.yaml` has 5 mistakes");
  expect(error.details.map((line) => line.split(" ")[0])).toEqual(
    ["1:5", "3:3", "3:11", "4:6", "5:9"].map((at) => `${file}:${at}`),
  );
  expect(error.data).toMatchObject({ file, problems: [{ line: 1, column: 5 }, {}, {}, {}, {}] });
});

test("a thousand mistakes do not fill the screen", () => {
  const error = failure(`packages:\n${Array.from({ length: 1000 }, (_, i) => `  p${i}: ^1`).join("\n")}`);
  expect(error.details.length).toBe(51);
  expect(error.details.at(-1)).toBe("and 950 more");
});

test("10 MB of nesting is refused at once", () => {
  const before = performance.now();
  expect(failure(`packages: ${"[".repeat(10_000_000)}`).details[0]).toContain("csp reads at most");
  expect(performance.now() - before).toBeLessThan(500);
});

test("whatever the text: an allowlist or CSP_ALLOWLIST_INVALID, without control characters in its lines", () => {
  const text = fc.oneof(mutated, soup, fc.string({ unit: "binary", maxLength: 80 }));
  fc.assert(
    fc.property(text, (yaml) => {
      try {
        parse(yaml);
      } catch (error) {
        if (!isCspError(error, "CSP_ALLOWLIST_INVALID")) throw error;
        for (const line of error.details) expect(line).not.toMatch(/\p{Cc}/u);
      }
    }),
    { numRuns: 2000 },
  );
});

describe("the allowlist of `csp init`", () => {
  test("without options is valid, empty and shows every setting but the advanced", () => {
    const text = newAllowlist({});
    expect(parse(text).packages.size).toBe(0);
    for (const setting of ["packages", "linker", "registry", "platforms", "sizeCap", "minimumReleaseAge", "store"]) {
      expect(text).toMatch(new RegExp(`^(# )?${setting}:`, "m"));
    }
  });

  test("its commented settings are valid too", () => {
    const settings = newAllowlist({}).replace(/^# (?=[a-zA-Z]+:(?: [^ ]*$| [[{]|$)| {2}(?:url|scopes):)/gm, "");
    const { registry, sizeCap, minimumReleaseAge, platforms, stores } = parse(settings.replace(/^isolated: .*/m, ""));
    expect(registry.scopes.size).toBe(1);
    expect(sizeCap.block).toBe(300_000_000);
    expect([minimumReleaseAge, platforms?.length, ...stores]).toEqual([259_200_000, 2, "s3://script-packages/prod"]);
  });

  test("says what it was told", () => {
    const text = newAllowlist({
      linker: "hoisted",
      registryUrl: "https://npm.example.com/x/",
      minimumReleaseAge: "36h",
      platforms: ["linux-x64"],
      stores: ["file:/srv/csp"],
    });
    expect(parse(text)).toMatchObject({
      linker: "hoisted",
      registry: { url: "https://npm.example.com/x/" },
      minimumReleaseAge: 129_600_000,
      platforms: [{ os: "linux", cpu: "x64", libc: "glibc" }],
      stores: ["file:/srv/csp"],
    });
  });

  test("refuses an option that is no setting", () => {
    expect(() => newAllowlist({ minimumReleaseAge: "3" })).toThrow("a mistake");
    expect(() => newAllowlist({ registryUrl: "https://u:p@npm.example.com/" })).toThrow("a mistake");
    expect(() => newAllowlist({ stores: ["x\ngc: {}"] })).toThrow("a mistake");
  });
});
