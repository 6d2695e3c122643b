// biome-ignore-all lint/suspicious/noTemplateCurlyInString: npm writes variables like that
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { deriveTarballPath, isTarballPath, relativeTarballPath, tarballUrl } from "../../../src/core/tarball-path.ts";

const base = "https://npm.example.com/api/npm/";

describe("where a tarball is", () => {
  test("by default", () => {
    expect(deriveTarballPath("q", "1.0.0")).toBe("q/-/q-1.0.0.tgz");
    expect(deriveTarballPath("@s/q", "1.0.0-rc.1")).toBe("@s/q/-/q-1.0.0-rc.1.tgz");
  });

  const places: [what: string, url: string, path: string | undefined, foreignHost: string | undefined][] = [
    ["the usual place", `${base}@s/q/-/q-1.0.0.tgz`, undefined, undefined],
    ["the usual place, encoded", `${base}%40s/q/-/q-1.0.0.tgz`, undefined, undefined],
    ["with a signature", `${base}@s/q/-/q-1.0.0.tgz?sig=secret#x`, undefined, undefined],
    ["with the other scheme", "http://npm.example.com/api/npm/@s/q/-/q-1.0.0.tgz", undefined, undefined],
    ["with an encoded slash", `${base}@s%2fq/-/q-1.0.0.tgz`, "@s%2fq/-/q-1.0.0.tgz", undefined],
    ["under the base", `${base}download/abc`, "download/abc", undefined],
    ["same origin", "https://npm.example.com/files/abc.tgz?x=1", "/files/abc.tgz", undefined],
    ["same origin, base begins alike", "https://npm.example.com/api/npm-x/a", "/api/npm-x/a", undefined],
    ["another host", "https://cdn.example.com/@s/q/-/q-1.0.0.tgz", undefined, "cdn.example.com"],
    ["another port", "https://npm.example.com:444/a.tgz", undefined, "npm.example.com:444"],
    ["no URL", "q.tgz", undefined, ""],
    ["a file", "file:///etc/passwd", undefined, ""],
    ["encoded backslashes", `${base}a%5c..%5cb`, undefined, ""],
  ];
  test.each(places)("%s", (_, url, path, foreignHost) => {
    expect(relativeTarballPath(base, url, "@s/q", "1.0.0")).toEqual({ path, foreignHost });
  });

  const refused = [
    "//evil.example/a.tgz",
    "/\\evil.example/a.tgz",
    "\\evil",
    "../a.tgz",
    "a/../../b",
    "/a/../b",
    "a/%2e%2e/b",
    "a/%2E./b",
    "a/..%2fb",
    "a%5c..%5cb",
    "a/%252e%252e/b",
    "a%00b",
    "a\nb",
    "a b",
    "a?b",
    "a#b",
    "a%3fb",
    "a//b",
    "a/",
    "/",
    "",
    "%",
    "ä",
    "./a",
    `${"a".repeat(2049)}`,
  ];
  test.each(refused)("%j is no path", (path) => {
    expect(isTarballPath(path)).toBe(false);
    expect(tarballUrl(base, "q", "1.0.0", path)).toBeUndefined();
  });

  test("what looks like a scheme is only a name below the base", () => {
    expect(tarballUrl(base, "q", "1.0.0", "https:evil")).toBe(`${base}https:evil`);
    expect(tarballUrl(base, "q", "1.0.0", "javascript:x")).toBe(`${base}javascript:x`);
    expect(tarballUrl(base, "q", "1.0.0", "user@evil.example/x")).toBe(`${base}user@evil.example/x`);
    expect(tarballUrl("https://npm.example.com/", "q", "1.0.0", "/@evil.example/x")).toBe(
      "https://npm.example.com/@evil.example/x",
    );
  });

  test("names and versions cannot leave the registry either", () => {
    expect(tarballUrl(base, "../../x", "1.0.0", undefined)).toBeUndefined();
    expect(tarballUrl(base, "x", "1/../../../x", undefined)).toBeUndefined();
    expect(tarballUrl(base, "@s/q", "1.0.0+b", undefined)).toBe(`${base}@s/q/-/q-1.0.0+b.tgz`);
  });

  test("whatever the path, the origin stays, and a relative one stays below the base", () => {
    const piece = fc.constantFrom(
      "/",
      "\\",
      "..",
      ".",
      "%2e",
      "%2f",
      "%5c",
      "a",
      ":",
      "@",
      "?",
      "#",
      "//evil.example",
      "%",
      "\t",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const path = pieces.join("");
        const url = tarballUrl(base, "q", "1.0.0", path);
        if (url === undefined) return;
        expect(new URL(url).origin).toBe("https://npm.example.com");
        if (!path.startsWith("/")) expect(url.startsWith(base)).toBe(true);
      }),
    );
  });

  test("what a packument's URL becomes leads back to that URL", () => {
    for (const path of ["download/abc", "@s%2fq/-/x.tgz", "q/-/q-1.0.0.tgz"]) {
      const place = relativeTarballPath(base, base + path, "q", "1.0.0");
      expect(tarballUrl(base, "q", "1.0.0", place.path)).toBe(base + path);
    }
  });
});
