import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type AllowlistEntry, parseAllowlist } from "../../../src/core/allowlist.ts";
import { type Edit, editAllowlist } from "../../../src/core/allowlist-edit.ts";
import { newAllowlist } from "../../../src/core/allowlist-new.ts";
import { isCspError } from "../../../src/core/errors.ts";
import { readYaml } from "../../../src/core/yaml-read.ts";
import { mutated, samples } from "./samples.ts";

const full = samples.full ?? "";

function sample(name: string): string {
  const text = samples[name];
  if (text === undefined) throw new Error(`no sample ${name}`);
  return text;
}

describe("pinning what is there", () => {
  test.each([
    ["a: 1.0.0 # why", "a: 2.0.0 # why"],
    ["a:   1.0.0", "a:   2.0.0"],
    ["a: '1.0.0'", "a: '2.0.0'"],
    ['"a": "1.0.0"', '"a": "2.0.0"'],
    ["a: { version: 1.0.0, enabled: false } # off", "a: { version: 2.0.0, enabled: false } # off"],
    ["a:\n    # why\n    version: 1.0.0 # x\n    reason: y", "a:\n    # why\n    version: 2.0.0 # x\n    reason: y"],
    ["a:\n    1.0.0", "a:\n    2.0.0"],
    ["a: >-\n    1.0.0", "a: 2.0.0"],
  ])("%p becomes %p", (before, after) => {
    const [text, wanted] = [before, after].map((entry) => `packages:\n  ${entry}\n  b: 1.0.0\n`);
    expect(editAllowlist(text ?? "", [{ set: "a", version: "2.0.0" }])).toBe(wanted ?? "");
  });

  test("an alias is written out, and a name of its own again", () => {
    const alias = editAllowlist("packages:\n  a: 1.0.0\n", [{ set: "a", name: "JSONStream", version: "1.3.5" }]);
    expect(alias).toBe("packages:\n  a: npm:JSONStream@1.3.5\n");
    expect(editAllowlist(alias, [{ set: "a", version: "1.0.0" }])).toBe("packages:\n  a: 1.0.0\n");
  });
});

describe("adding", () => {
  const added: [string, string, string][] = [
    ["empty", "b", "packages:\n  b: 1.0.0\n"],
    ["comments only", "b", "# nothing yet\npackages:\n  b: 1.0.0\n"],
    ["no packages", "b", "linker: isolated\npackages:\n  b: 1.0.0\n"],
    ["packages without value", "b", "packages: # soon\n  # one a line\n  b: 1.0.0\n\nlinker: isolated\n"],
    ["packages as {}", "b", "packages: # soon\n  b: 1.0.0\nlinker: isolated\n"],
    ["packages as {}", "@acme/b", 'packages: # soon\n  "@acme/b": 1.0.0\nlinker: isolated\n'],
    ["no last line break", "d", "linker: isolated\npackages:\n  a: 1.0.0\n  c: 1.0.0\n  d: 1.0.0"],
    ["no last line break", "b", "linker: isolated\npackages:\n  a: 1.0.0\n  b: 1.0.0\n  c: 1.0.0"],
    [
      "sorted, wide, quoted",
      "d",
      "packages:\n    'a': '1.0.0'\n    'c': '1.0.0'\n    'd': '1.0.0'\n    'e': '1.0.0'\n",
    ],
    [
      "sorted, wide, quoted",
      "@a/b",
      "packages:\n    '@a/b': '1.0.0'\n    'a': '1.0.0'\n    'c': '1.0.0'\n    'e': '1.0.0'\n",
    ],
    ["unsorted", "b", "packages:\n  zod: 1.0.0\n  ajv: 1.0.0\n  b: 1.0.0\n\n# the end\n"],
    ["groups and blank lines", "b", sample("groups and blank lines").replace("a: 1.0.0\n", "a: 1.0.0\n  b: 1.0.0\n")],
    ["groups and blank lines", "0x", sample("groups and blank lines").replace("  # first", "  0x: 1.0.0\n  # first")],
    ["braces on a line", "b", sample("braces on a line").replace("c:", "b: 1.0.0, c:")],
    ["braces on a line", "z", sample("braces on a line").replace("e: 1.0.0", "e: 1.0.0, z: 1.0.0")],
    ["braces on lines", "b", sample("braces on lines").replace("  c:", "  b: 1.0.0,\n  c:")],
    [
      "braces on lines",
      "z",
      sample("braces on lines").replace("e: 1.0.0 # the e\n", "e: 1.0.0, # the e\n  z: 1.0.0\n"),
    ],
    ["braces, comma at the end", "z", sample("braces, comma at the end").replace("}", "  z: 1.0.0,\n}")],
    ["JSON", "b", sample("JSON").replace('    "c"', '    "b": "1.0.0",\n    "c"')],
    ["JSON on a line", "b", '{"packages":{"a":"1.0.0","b": "1.0.0", "c":{"version":"1.0.0"}}}'],
    ["JSON without packages", "b", '{ "linker": "hoisted", "packages": { "b": "1.0.0" } }\n'],
    ["document start", "b", "---\npackages:\n  a: 1.0.0\n  b: 1.0.0\n"],
    ["lists of lines", "b", "platforms:\n- linux-x64\n- darwin-arm64\npackages:\n  a: 1.0.0\n  b: 1.0.0\n"],
    ["full", "zod", full.replace("optional: true\n", "optional: true\n  zod: 1.0.0\n")],
  ];
  test.each(added)("to %p: %s", (name, key, wanted) => {
    expect(editAllowlist(sample(name), [{ set: key, version: "1.0.0" }])).toBe(wanted);
  });

  test("to the file of `csp init`, in order", () => {
    const text = editAllowlist(
      newAllowlist({}),
      ["lodash", "@acme/tools", "ajv", "true"].map((set) => ({ set, version: "1.0.0" })),
    );
    expect(text).toContain(
      '\npackages:\n  "@acme/tools": 1.0.0\n  ajv: 1.0.0\n  lodash: 1.0.0\n  "true": 1.0.0\n\n# isolated',
    );
  });

  test("keeps Windows line breaks and the byte order mark", () => {
    const text = editAllowlist(`\ufeff${sample("windows line breaks")}`, [
      { set: "zod", version: "1.0.0" },
      { set: "leftpad", version: "0.0.2" },
    ]);
    const unix = editAllowlist(full, [
      { set: "zod", version: "1.0.0" },
      { set: "leftpad", version: "0.0.2" },
    ]);
    expect(text).toBe(`\ufeff${unix.replaceAll("\n", "\r\n")}`);
  });
});

describe("removing", () => {
  const removed: [string, string, string][] = [
    ["full", "leftpad", full.replace(/.*leftpad.*\n/, "")],
    ["full", "sharp", full.replace(/ {2}sharp:\n.*\n.*\n.*\n/, "")],
    ["no last line break", "c", "linker: isolated\npackages:\n  a: 1.0.0"],
    ["groups and blank lines", "c", sample("groups and blank lines").replace("  c: 1.0.0\n", "")],
    ["braces on a line", "a", sample("braces on a line").replace("a: 1.0.0, ", "")],
    ["braces on a line", "c", sample("braces on a line").replace("c: { version: 1.0.0 }, ", "")],
    ["braces on a line", "e", sample("braces on a line").replace(", e: 1.0.0", "")],
    ["braces on lines", "c", sample("braces on lines").replace("  c: 1.0.0, # the c\n", "")],
    [
      "braces on lines",
      "e",
      sample("braces on lines").replace("  e: 1.0.0 # the e\n", "").replace("c: 1.0.0,", "c: 1.0.0"),
    ],
    ["reason on lines", "a", sample("reason on lines").replace(/ {2}a:\n(?: {4,}.*\n)+/, "")],
    ["document start", "a", "---\npackages:\n"],
  ];
  test.each(removed)("from %p: %s", (name, key, wanted) => {
    expect(editAllowlist(sample(name), [{ remove: key }])).toBe(wanted);
  });

  test("the last one in braces leaves empty braces, which take a new one", () => {
    const text = editAllowlist("packages: { a: 1.0.0 } # all\n", [{ remove: "a" }]);
    expect(text).toBe("packages: {} # all\n");
    expect(editAllowlist(text, [{ set: "b", version: "1.0.0" }])).toBe("packages: # all\n  b: 1.0.0\n");
  });

  test("a comment above or beside another entry stays", () => {
    const text = "packages: {\n  a: 1.0.0, # the a\n  c: 1.0.0 }\n";
    expect(editAllowlist(text, [{ remove: "c" }])).toContain("# the a\n");
    expect(editAllowlist("packages:\n  # the a\n  a: 1.0.0\n", [{ remove: "a" }])).toBe("packages:\n  # the a\n");
  });
});

describe("enabling and disabling", () => {
  test.each([
    ["a: 1.0.0 # why", {}, "a: { version: 1.0.0, enabled: false } # why"],
    ["a: '1.0.0'", { reason: 'too "old"' }, `a: { version: '1.0.0', enabled: false, reason: "too \\"old\\"" }`],
    ["a: npm:B@1.0.0", { reason: "x" }, 'a: { version: npm:B@1.0.0, enabled: false, reason: "x" }'],
    ["a: { version: 1.0.0, optional: true }", {}, "a: { version: 1.0.0, optional: true, enabled: false }"],
    ["a: { enabled: true, version: 1.0.0 }", {}, "a: { enabled: false, version: 1.0.0 }"],
    [
      "a: { version: 1.0.0, enabled: false, reason: old }",
      { reason: "new" },
      'a: { version: 1.0.0, enabled: false, reason: "new" }',
    ],
    ["a:\n    version: 1.0.0\n    # inner", {}, "a:\n    version: 1.0.0\n    # inner\n    enabled: false"],
    [
      "a:\n    version: 1.0.0\n    reason: |\n      x\n      y",
      { reason: "z" },
      'a:\n    version: 1.0.0\n    reason: "z"\n    enabled: false',
    ],
    ["a:\n    1.0.0", {}, "a:\n    { version: 1.0.0, enabled: false }"],
    ["a: 1.0.0", { reason: " two\n lines\u0007 " }, 'a: { version: 1.0.0, enabled: false, reason: "two lines" }'],
  ])("disabling %p with %p gives %p", (before, more, after) => {
    const [text, wanted] = [before, after].map((entry) => `packages:\n  ${entry}\n  b: 1.0.0\n`);
    const edited = editAllowlist(text ?? "", [{ disable: "a", ...more }]);
    // Where a field goes is free, as long as everything else stands still.
    expect(edited.split("\n").sort()).toEqual((wanted ?? "").split("\n").sort());
    expect(parseAllowlist(edited, "f").packages.get("a")?.enabled).toBe(false);
  });

  test.each([
    ["a: { version: 1.0.0, enabled: false } # c", "a: 1.0.0 # c"],
    ["a: { version: '1.0.0', enabled: false }", "a: '1.0.0'"],
    ["a: { version: 1.0.0, enabled: false, reason: why }", "a: { version: 1.0.0, enabled: true, reason: why }"],
    ["a:\n    enabled: false # c\n    version: 1.0.0", "a:\n    enabled: true # c\n    version: 1.0.0"],
  ])("enabling %p gives %p", (before, after) => {
    expect(editAllowlist(`packages:\n  ${before}\n`, [{ enable: "a" }])).toBe(`packages:\n  ${after}\n`);
  });

  test("in JSON, the fields are quoted too", () => {
    expect(editAllowlist(sample("JSON on a line"), [{ disable: "a" }, { disable: "c", reason: "x" }])).toBe(
      '{"packages":{"a":{ "version": "1.0.0", "enabled": false },"c":{"version":"1.0.0", "enabled": false, "reason": "x"}}}',
    );
  });
});

describe("refused", () => {
  test.each([
    [{ remove: "lodahs" }, "CSP_NOT_ALLOWLISTED", "did you mean `lodash`?"],
    [{ enable: "nothing" }, "CSP_NOT_ALLOWLISTED", "csp list"],
    [{ disable: "Lodash" }, "CSP_NOT_ALLOWLISTED", "did you mean `lodash`?"],
    [{ set: "../x", version: "1.0.0" }, "CSP_NAME_INVALID", undefined],
    [{ set: "a", version: "^1" }, "CSP_NAME_INVALID", undefined],
    [{ set: "a", name: "../b", version: "1.0.0" }, "CSP_NAME_INVALID", undefined],
    [{ set: "a", version: "1.0.0\n  b: 1.0.0" }, "CSP_NAME_INVALID", undefined],
  ] as [Edit, string, string | undefined][])("%p", (edit, code, hint) => {
    try {
      editAllowlist(full, [{ set: "x", version: "1.0.0" }, edit]);
    } catch (error) {
      if (!isCspError(error)) throw error;
      expect(error.code).toBe(code as typeof error.code);
      expect(error.hint ?? "").toContain(hint ?? "");
      return;
    }
    throw new Error("accepted");
  });

  test("a file that is not valid is not edited", () => {
    expect(() => editAllowlist("packages:\n  a: ^1\n", [{ set: "a", version: "1.0.0" }])).toThrow("a mistake");
  });
});

const version = fc.constantFrom("1.0.0", "2.0.0", "1.0.0-rc.1+b", "0.33.5");
const newKey = fc.constantFrom("b", "d", "zz", "@b/c", "true", "1e3", "no", "7zip");
const anyName = fc.constantFrom(...Object.keys(samples));

function editFor(keys: readonly string[]): fc.Arbitrary<Edit> {
  const set = fc.record({ set: fc.oneof(newKey, ...(keys.length > 0 ? [fc.constantFrom(...keys)] : [])), version });
  if (keys.length === 0) return set;
  const key = fc.constantFrom(...keys);
  const reason = fc.string({ unit: "grapheme", maxLength: 12 });
  return fc.oneof(
    set,
    fc.record({ set: key, version, name: fc.constantFrom("JSONStream", "@x/y") }),
    fc.record({ remove: key }),
    fc.record({ enable: key }),
    fc.record({ disable: key }),
    fc.record({ disable: key, reason }),
  );
}

function keysOf(text: string): string[] {
  return [...parseAllowlist(text, "f").packages.keys()];
}

/** What stands in an allowlist, without places. */
function content(text: string): Record<string, Omit<AllowlistEntry, "line">> {
  const entries = [...parseAllowlist(text, "f").packages.values()];
  return Object.fromEntries(entries.map(({ line: _, ...entry }) => [`.${entry.key}`, entry]));
}

test("any edit of any sample says what was asked, and nothing else changes its meaning", () => {
  const editing = anyName.chain((name) => fc.tuple(fc.constant(name), editFor(keysOf(sample(name)))));
  fc.assert(
    fc.property(editing, ([name, edit]) => {
      const before = content(sample(name));
      const after = content(editAllowlist(sample(name), [edit]));
      const key =
        "set" in edit ? edit.set : "remove" in edit ? edit.remove : "enable" in edit ? edit.enable : edit.disable;
      const { [`.${key}`]: own, ...others } = after;
      const { [`.${key}`]: old, ...otherOld } = before;
      expect(others).toEqual(otherOld);
      if ("remove" in edit) expect(own).toBeUndefined();
      else if ("set" in edit)
        expect(own).toMatchObject({ name: edit.name ?? key, version: edit.version, enabled: old?.enabled ?? true });
      else expect(own).toMatchObject({ version: old?.version ?? "", enabled: "enable" in edit });
    }),
    { numRuns: 800 },
  );
});

test("an edit touches only the lines of its own entry", () => {
  const blocks = Object.keys(samples).filter((name) => !/brace|JSON|packages as/.test(name));
  const editing = fc
    .constantFrom(...blocks)
    .chain((name) => fc.tuple(fc.constant(name), editFor(keysOf(sample(name)))));
  fc.assert(
    fc.property(editing, ([name, edit]) => {
      const text = sample(name);
      const before = text.split("\n");
      const after = editAllowlist(text, [edit]).split("\n");
      let head = 0;
      while (head < before.length && before[head] === after[head]) head++;
      let tail = 0;
      while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail))
        tail++;
      const touched = before.slice(head, before.length - tail);
      const key =
        "set" in edit ? edit.set : "remove" in edit ? edit.remove : "enable" in edit ? edit.enable : edit.disable;
      const entry = parseAllowlist(text, "f").packages.get(key);
      if (entry === undefined) {
        expect(touched).toEqual([]);
        return;
      }
      const others = [...parseAllowlist(text, "f").packages.values()].filter(({ line }) => line !== entry.line);
      const touchedLines = touched.map((_, i) => head + i + 1);
      for (const other of others) expect(touchedLines).not.toContain(other.line);
      for (const line of touchedLines) expect(line).toBeGreaterThanOrEqual(entry.line);
      // All comments outside the entry are still there.
      if (!("remove" in edit)) expect(comments(after.join("\n"))).toEqual(comments(text));
    }),
    { numRuns: 1500 },
  );
});

function comments(text: string): string[] {
  return text.match(/(?<=^|\s)#.*/g) ?? [];
}

test("what changes nothing returns the same bytes", () => {
  for (const text of Object.values(samples)) {
    for (const { key, name, version: pinned, enabled, reason } of parseAllowlist(text, "f").packages.values()) {
      const same: Edit[] = [{ set: key, name, version: pinned }, enabled ? { enable: key } : { disable: key }];
      if (!enabled && reason !== undefined) same.push({ disable: key, reason });
      for (const edit of same) expect(editAllowlist(text, [edit])).toBe(text);
    }
    expect(editAllowlist(text, [])).toBe(text);
  }
});

test("adding and removing again, or disabling and enabling again, gives back the same bytes", () => {
  const names = Object.keys(samples).filter((name) => keysOf(sample(name)).length > 0);
  fc.assert(
    fc.property(fc.constantFrom(...names), newKey, (name, key) => {
      const text = sample(name);
      expect(editAllowlist(text, [{ set: key, version: "1.0.0" }, { remove: key }])).toBe(text);
      for (const entry of parseAllowlist(text, "f").packages.values()) {
        const edited = editAllowlist(text, [{ disable: entry.key }, { enable: entry.key }]);
        if (isOneValue(text, entry.key)) expect(edited).toBe(text);
      }
    }),
    { numRuns: 200 },
  );
});

/** True for `name: 1.2.3`, where no map is involved. */
function isOneValue(text: string, key: string): boolean {
  const tree = readYaml(text.replace(/^\ufeff/, ""));
  const packages =
    tree.ok && tree.root?.kind === "map" ? tree.root.pairs.find(({ name }) => name === "packages") : undefined;
  return (
    packages?.value.kind === "map" && packages.value.pairs.find(({ name }) => name === key)?.value.kind === "scalar"
  );
}

test("whatever the text: an edited allowlist or a CspError", () => {
  const edit: fc.Arbitrary<Edit> = fc.oneof(
    fc.record({ set: fc.constantFrom("a", "b", "lodash"), version }),
    fc.record({ remove: fc.constantFrom("a", "c", "lodash") }),
    fc.record({ disable: fc.constantFrom("a", "c", "sharp"), reason: fc.string({ maxLength: 5 }) }),
    fc.record({ enable: fc.constantFrom("a", "c", "lodash") }),
  );
  let edited = 0;
  fc.assert(
    fc.property(mutated, edit, (text, change) => {
      try {
        parseAllowlist(editAllowlist(text, [change]), "f");
        edited++;
      } catch (error) {
        if (!isCspError(error)) throw error;
        // Every valid text can be edited.
        expect(error.message).not.toContain("without risk");
      }
    }),
    { numRuns: 1500 },
  );
  expect(edited).toBeGreaterThan(15);
});
