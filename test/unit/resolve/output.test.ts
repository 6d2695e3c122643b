import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readOutput } from "../../../src/resolve/output.ts";
import { redactor, secretsOf } from "../../../src/resolve/redact.ts";

const read = (...lines: string[]) => readOutput(lines.join("\n"), redactor(["canary-token"]));

describe("stderr of bun", () => {
  test("progress, advice and code frames are nothing", () => {
    const output = read(
      "Resolving dependencies",
      "Resolved, downloaded and extracted [2]",
      "1 | error: GET http://x/y - 401",
      "    ^",
      "note: try something",
      "Saved lockfile",
    );
    expect(output).toEqual({ failures: [], warnings: [] });
  });

  test("a package asked for in two ways is two failures of one cause", () => {
    const { failures } = read(
      "error: GET http://127.0.0.1:1/x - 404",
      "error: x@^1.0.0 failed to resolve",
      "error: x@2.0.0 failed to resolve",
    );
    expect(failures.map(({ kind, spec }) => [kind, spec])).toEqual([
      ["no-package", "2.0.0"],
      ["no-package", "^1.0.0"],
    ]);
  });

  test("what only the second line tells is kept", () => {
    expect(read("error: @s/x@npm:@t/y@1.0.0 failed to resolve").failures).toEqual([
      { kind: "unknown", name: "@t/y", spec: "1.0.0", text: "@s/x@npm:@t/y@1.0.0 failed to resolve" },
    ]);
  });

  test("no certificate, no host, no answer: the registry is out of reach", () => {
    for (const word of ["DEPTH_ZERO_SELF_SIGNED_CERT", "DNSResolveFailed", "Timeout", "ConnectionClosed"]) {
      const { failures } = read(`error: ${word} downloading package manifest @s/x`);
      expect(failures).toMatchObject([{ kind: "unreachable", name: "@s/x" }]);
    }
  });

  test("a passing trouble with an optional package is a failure; a standing one is a remark", () => {
    const passing = ["GET http://h/x - 503", "GET http://h/x - 401", "Timeout downloading package manifest x"];
    for (const text of passing)
      expect(read(`warn: ${text}`)).toMatchObject({ failures: [{ name: "x" }], warnings: [] });
    for (const status of [404, 403]) {
      expect(read(`warn: GET http://h/x - ${status}`)).toMatchObject({
        failures: [],
        warnings: [{ kind: "optional-missing", name: "x", status }],
      });
    }
  });

  test("an unknown warning is told in bun's words", () => {
    expect(read("warn: registry requests failed, retrying").warnings).toEqual([
      { kind: "other", text: "bun says: registry requests failed, retrying" },
    ]);
  });

  test("whatever bun writes, nothing unprintable and no credential gets out", () => {
    const prefix = fc.constantFrom("error: ", "warn: ", "error: GET http://", "warn: deprecated a@1.0.0: ", "");
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "canary-token",
        "\u001b[31m",
        "http://u:canary-token@h/x?k=canary-token",
        " failed to resolve",
        "@",
      ),
    );
    const line = fc.tuple(prefix, fc.array(piece, { maxLength: 6 })).map(([start, rest]) => start + rest.join(""));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        const { failures, warnings } = read(...lines);
        for (const item of [...failures, ...warnings]) {
          const values = Object.values(item).join("|");
          expect(values).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
          expect(values).not.toContain("canary-token");
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("redaction", () => {
  const redact = redactor(["s3cr:et/1"]);
  test.each([
    ["a token, plain and in an address's form", "s3cr:et/1 and s3cr%3Aet%2F1", "*** and ***"],
    ["user and password", "GET https://me:pw@h.example/x - 401", "GET https://h.example/x - 401"],
    ["a password that holds an @", "https://me:p@w@h.example/x", "https://h.example/x"],
    ["query and fragment", "https://h.example/x?key=1#top - 401", "https://h.example/x - 401"],
    ["colours, written out or not", "\u001b[1;31mred\u001b[0m \\x1b[31mred", "red red"],
    ["line breaks", "one\ntwo\\nthree", "one two three"],
    ["text that runs backwards", "abc\u202edef", "abcdef"],
  ])("%s", (_, text, expected) => {
    expect(redact(text)).toBe(expected);
  });
  test("length is bounded", () => expect(redact("x".repeat(100_000)).length).toBeLessThan(600));

  test("secrets are the tokens, and passwords of proxies", () => {
    const env = { CSP_TOKEN_0: "tok", HTTPS_PROXY: "http://me:pass@proxy:3128", NODE_EXTRA_CA_CERTS: "/etc/ca.pem" };
    expect(secretsOf(env)).toEqual(["tok", "pass"]);
  });
});
