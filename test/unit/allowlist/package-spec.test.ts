import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { validRange } from "semver";
import { type CspError, isCspError } from "../../../src/core/errors.ts";
import { parsePackageSpec } from "../../../src/core/package-spec.ts";

function failure(text: string): CspError {
  try {
    parsePackageSpec(text);
  } catch (error) {
    if (isCspError(error)) return error;
    throw error;
  }
  throw new Error(`${text} was accepted`);
}

test.each([
  ["lodash", "lodash", "lodash", "tag", "latest"],
  ["leftpad@0.0.1", "leftpad", "leftpad", "exact", "0.0.1"],
  ["lodash@v4.17.21", "lodash", "lodash", "exact", "4.17.21"],
  ["lodash@=4.17.21", "lodash", "lodash", "exact", "4.17.21"],
  ["lodash@4.17.21-rc.1+b", "lodash", "lodash", "exact", "4.17.21-rc.1+b"],
  ["lodash@^4", "lodash", "lodash", "range", "^4"],
  ["lodash@4", "lodash", "lodash", "range", "4"],
  ["lodash@>=4 <5", "lodash", "lodash", "range", ">=4 <5"],
  ["lodash@>= 4.0.0 < 5", "lodash", "lodash", "range", ">= 4.0.0 < 5"],
  ["lodash@1 - 2", "lodash", "lodash", "range", "1 - 2"],
  ["lodash@1.x || ~2.3", "lodash", "lodash", "range", "1.x || ~2.3"],
  ["lodash@*", "lodash", "lodash", "range", "*"],
  ["react@next", "react", "react", "tag", "next"],
  ["react@release-18.x", "react", "react", "tag", "release-18.x"],
  ["react@18-lts", "react", "react", "tag", "18-lts"],
  ["@acme/tools", "@acme/tools", "@acme/tools", "tag", "latest"],
  ["@acme/tools@2.1.0", "@acme/tools", "@acme/tools", "exact", "2.1.0"],
  ["alias@npm:name@1.2.3", "alias", "name", "exact", "1.2.3"],
  ["alias@npm:name", "alias", "name", "tag", "latest"],
  ["alias@npm:@acme/name@^1", "alias", "@acme/name", "range", "^1"],
  ["@acme/alias@npm:JSONStream@1.3.5", "@acme/alias", "JSONStream", "exact", "1.3.5"],
  ["npm-events@npm:events@next", "npm-events", "events", "tag", "next"],
] as const)("%s", (text, key, name, kind, want) => {
  expect(parsePackageSpec(text)).toEqual({ key, name, want: { kind, text: want } });
});

describe("sources other than a registry", () => {
  test.each([
    "git+https://git.example.com/x/y",
    "git+ssh://git@git.example.com/x/y.git#main",
    "git://git.example.com/x",
    "git@git.example.com:x/y.git",
    "github:x/y",
    "x/y",
    "x/y#main",
    "https://npm.example.com/x.tgz",
    "http://npm.example.com/x",
    "file:../x",
    "link:../x",
    "workspace:*",
    "./x",
    "../x",
    "/x",
    "~/x",
    "C:\\x",
    "x.tgz",
    ".",
  ])("%s is refused, alone and behind a name", (source) => {
    expect(failure(source).code).toBe("CSP_SOURCE_REFUSED");
    expect(failure(`lodash@${source}`).code).toBe("CSP_SOURCE_REFUSED");
    expect(failure(`lodash@npm:lodash@${source}`).code).toBe("CSP_SOURCE_REFUSED");
  });

  test("a credential in an address is not repeated", () => {
    for (const text of ["https://u:s3cret@npm.example.com/x.tgz", "a@git+https://s3cret@git.example.com/x?t=s3cret"]) {
      expect(JSON.stringify([failure(text).message, failure(text).details])).not.toContain("s3cret");
    }
  });
});

describe("names and versions that cannot be", () => {
  test.each([
    ["", "it is empty"],
    ["@next", "after a name"],
    ["npm:lodash@1", "an alias needs the name"],
    ["lodash@", "nothing follows"],
    ["lodash@1.2.3.4", "neither a version"],
    ["lodash@^^1", "neither a version"],
    ["lodash@>=1 latest", "neither a version"],
    ["alias@npm:", "it is empty"],
    ["alias@npm:../x@1.0.0", "only a scoped name"],
    ["Lodash", "lower case"],
    ["fs", "module of the runtime"],
    [".bin", "starts with `.`"],
    ["__proto__", "reserved"],
    ["a b", "cannot hold"],
    ["@a/b/c@1.0.0", "a scoped name"],
    ["x\u001b[2J", "only ASCII"],
  ])("%p: %s", (text, why) => {
    const error = failure(text);
    expect(error.code).toBe("CSP_NAME_INVALID");
    expect(error.message).toContain(why);
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(error.hint).toBeString();
  });

  test("an upper-case name comes with the lower-case one", () => {
    expect(failure("Lodash@4").hint).toBe("did you mean `lodash`?");
  });
});

test("for any text: a spec or a CspError", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.stringMatching(/^[a@:/.^~<>=|x0-9 -]{0,16}$/),
    fc.stringMatching(/^a@[npm:a@1.^<|x /-]{0,12}$/),
  );
  fc.assert(
    fc.property(text, (spec) => {
      try {
        const { want } = parsePackageSpec(spec);
        if (want.kind === "range") expect(validRange(want.text)).not.toBeNull();
        if (want.kind === "tag") expect(validRange(want.text)).toBeNull();
      } catch (error) {
        if (!isCspError(error)) throw error;
      }
    }),
    { numRuns: 3000 },
  );
});
