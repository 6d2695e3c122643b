import { describe, expect, test } from "bun:test";
import { parsePackument } from "../../../src/registry/packument.ts";
import { clientOf, failureOf, serve } from "./support.ts";

const version = (number: string, more: object = {}): object => ({
  name: "@s/q",
  version: number,
  dist: {
    tarball: `https://npm.example.com/@s/q/-/q-${number}.tgz`,
    integrity: "sha512-x",
    shasum: "y",
    unpackedSize: 12,
  },
  ...more,
});

const document = {
  name: "@s/q",
  "dist-tags": { latest: "1.0.0", broken: 7 },
  versions: {
    "1.0.0": version("1.0.0", {
      dependencies: { a: "^1", b: 2 },
      optionalDependencies: { c: "*" },
      peerDependencies: { d: ">=1" },
      deprecated: "use r",
      os: ["linux"],
      cpu: "x64",
      bin: "cli.js",
      license: { type: "MIT" },
      scripts: { postinstall: "node x" },
    }),
    "1.0.1": version("1.0.1", {
      deprecated: false,
      hasInstallScript: true,
      bin: { q: "q.js" },
      license: "ISC",
      libc: ["musl"],
    }),
    "1.0.2": version("1.0.3"),
    "../1": version("../1"),
    "2.0.0": null,
    "3.0.0": { version: "3.0.0" },
    "4.0.0": { version: "4.0.0", dist: { tarball: 7 } },
  },
  time: { "1.0.0": "2020-01-01T00:00:00.000Z", bad: 1 },
};

describe("a packument", () => {
  test("is read, and rubbish in single versions leaves the others", () => {
    const packument = parsePackument(document, "@s/q");
    if (typeof packument === "string") throw new Error(packument);
    expect([...packument.versions.keys()]).toEqual(["1.0.0", "1.0.1"]);
    expect(packument.skipped).toEqual(["../1", "1.0.2", "2.0.0", "3.0.0", "4.0.0"]);
    expect(packument.distTags).toEqual(new Map([["latest", "1.0.0"]]));
    expect(packument.time).toEqual(new Map([["1.0.0", "2020-01-01T00:00:00.000Z"]]));
    expect(packument.versions.get("1.0.0")).toEqual({
      version: "1.0.0",
      dist: {
        tarball: "https://npm.example.com/@s/q/-/q-1.0.0.tgz",
        integrity: "sha512-x",
        shasum: "y",
        unpackedSize: 12,
      },
      dependencies: new Map([["a", "^1"]]),
      optionalDependencies: new Map([["c", "*"]]),
      peerDependencies: new Map([["d", ">=1"]]),
      deprecated: "use r",
      os: ["linux"],
      cpu: ["x64"],
      libc: [],
      bin: new Map([["q", "cli.js"]]),
      license: "MIT",
      hasInstallScript: true,
    });
    expect(packument.versions.get("1.0.1")).toMatchObject({
      deprecated: undefined,
      hasInstallScript: true,
      bin: new Map([["q", "q.js"]]),
      license: "ISC",
      libc: ["musl"],
    });
  });

  test.each([
    [[], "is not a JSON object"],
    [{ ...document, name: "r" }, "is about another package"],
    [{ name: "@s/q" }, "has no versions"],
  ])("that is none is refused: %j", (input, problem) => {
    expect(parsePackument(input, "@s/q")).toBe(problem);
  });

  test("is asked for in the short or the full form, compressed or not", async () => {
    using server = serve(
      () =>
        new Response(Bun.gzipSync(JSON.stringify(document)), {
          headers: { "content-encoding": "gzip", "content-type": "application/json" },
        }),
    );
    const client = clientOf(`registry=${server.url}npm`);
    expect((await client.packument("@s/q", { full: false })).versions.size).toBe(2);
    await client.packument("@s/q", { full: true });
    expect(server.seen.map(({ path }) => path)).toEqual(["/npm/@s%2fq", "/npm/@s%2fq"]);
    expect(server.seen[0]?.headers.get("accept")).toStartWith("application/vnd.npm.install-v1+json");
    expect(server.seen[1]?.headers.get("accept")).toBe("application/json");
  });

  test.each([
    ["<!doctype html><p>Sign in", "text/html", "is an HTML page"],
    ["\n <html>", "application/json", "is an HTML page"],
    ['{"name": "@s/q", "vers', "application/json", "is not valid JSON"],
    ["", "application/json", "is not valid JSON"],
    ['{"name": "other", "versions": {}}', "application/json", "is about another package"],
  ])("%j is the wrong answer", async (text, type, problem) => {
    using server = serve(() => new Response(text, { headers: { "content-type": type } }));
    const failure = await failureOf(() => clientOf(`registry=${server.url}`).packument("@s/q", { full: false }));
    expect(failure.code).toBe("CSP_REGISTRY_ANSWER");
    expect(failure.message).toBe(`the answer for \`@s/q\` ${problem}`);
  });

  test.each(["../x", "@a/../b", ".", "..", "a?b", "a#b", "a/b", "@a/b/c", "a\nb", ""])(
    "%j is not asked for",
    async (name) => {
      using server = serve(() => Response.json({}));
      const failure = await failureOf(() => clientOf(`registry=${server.url}`).packument(name, { full: false }));
      expect(failure.code).toBe("CSP_NAME_INVALID");
      expect(server.seen).toEqual([]);
    },
  );
});
