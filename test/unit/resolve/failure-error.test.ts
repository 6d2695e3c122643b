import { describe, expect, test } from "bun:test";
import type { CspError } from "../../../src/core/errors.ts";
import { failureError } from "../../../src/resolve/failure-error.ts";
import type { FailureContext } from "../../../src/resolve/failure-words.ts";
import type { FailureKind, ResolveFailure } from "../../../src/resolve/outcome.ts";
import { rootsOf } from "./fixture.ts";

const context: FailureContext = {
  allowlistFile: "script-packages.yaml",
  roots: rootsOf({ a: "9.9.9", app: "1.0.0", mine: "npm:a@8.0.0" }),
  chains: (name) => (name === "lost" ? [["app@1.0.0", "mid@2.1.0", "lost@^1.0.0"]] : []),
  nearest: (name) => (name === "a" ? { version: "2.0.0", published: "2024-05-01" } : undefined),
};

/** As a terminal shows it. */
function show(error: CspError): string {
  const lines = [`${error.code}: ${error.message}`, ...error.details.map((line) => `  ${line}`)];
  return [...lines, ...(error.hint === undefined ? [] : [`help: ${error.hint}`])].join("\n");
}

const shown = (...failures: ResolveFailure[]) => show(failureError(failures, context));

describe("one failure is told whole", () => {
  test("a version that does not exist", () => {
    expect(shown({ kind: "no-version", name: "a", spec: "9.9.9", text: "" })).toBe(
      [
        "CSP_RESOLVE_FAILED: no version of `a` matches `9.9.9`",
        "  `script-packages.yaml` asks for `a: 9.9.9`",
        "  the nearest version is `2.0.0`, published 2024-05-01",
        "help: run `csp add a@2.0.0`",
      ].join("\n"),
    );
  });

  test("an alias keeps its name", () => {
    expect(shown({ kind: "no-version", name: "a", spec: "8.0.0", text: "" })).toBe(
      [
        "CSP_RESOLVE_FAILED: no version of `a` matches `8.0.0`",
        "  `script-packages.yaml` asks for `mine: npm:a@8.0.0`",
        "  the nearest version is `2.0.0`, published 2024-05-01",
        "help: run `csp add mine@npm:a@2.0.0`",
      ].join("\n"),
    );
  });

  test("a dependency that does not exist", () => {
    const url = "https://npm.example.com/lost";
    expect(shown({ kind: "no-package", name: "lost", spec: "^1.0.0", url, status: 404, text: "" })).toBe(
      [
        "CSP_RESOLVE_FAILED: the registry has no package `lost`",
        "  needed through `app@1.0.0` → `mid@2.1.0` → `lost@^1.0.0`",
        "  asked for `https://npm.example.com/lost`",
        "  a private package looks the same without credentials",
        "help: try another version with `csp add app`, or run `csp remove app`",
      ].join("\n"),
    );
  });

  test("credentials", () => {
    const url = "https://npm.example.com/team/closed";
    expect(shown({ kind: "unauthorized", name: "closed", spec: "^1.0.0", url, status: 401, text: "" })).toBe(
      [
        "CSP_REGISTRY_AUTH: the registry `https://npm.example.com/team/` refused the credentials (401) for `closed`",
        "  it is a dependency of something in `script-packages.yaml`",
        `help: give csp a token that may read it: \`//npm.example.com/team/:_authToken=\${TOKEN}\` in \`.npmrc\``,
      ].join("\n"),
    );
  });

  test("an untrusted certificate", () => {
    const text = "DEPTH_ZERO_SELF_SIGNED_CERT downloading package manifest a";
    expect(shown({ kind: "unreachable", name: "a", text })).toContain("help: name the authority that signed");
  });
});

describe("several failures", () => {
  test("have a block each", () => {
    const error = shown(
      { kind: "too-young", name: "app", spec: "1.0.0", text: "" },
      { kind: "no-tag", name: "a", spec: "9.9.9", text: "" },
    );
    expect(error).toBe(
      [
        "CSP_RESOLVE_FAILED: `script-packages.yaml` cannot be resolved for 2 reasons",
        "  `a` has no version or tag `9.9.9`",
        "    `script-packages.yaml` asks for `a: 9.9.9`",
        "    the nearest version is `2.0.0`, published 2024-05-01",
        "  `app@1.0.0` is younger than `minimumReleaseAge` allows",
        "    `script-packages.yaml` asks for `app: 1.0.0`",
        "help: run `csp add a@2.0.0`",
      ].join("\n"),
    );
  });

  test("of one trouble are told once", () => {
    const names = ["p1", "p2", "p3", "p4", "p5", "p6", "p7"];
    const failures = names.map(
      (name): ResolveFailure => ({ kind: "unreachable", name, text: `Timeout downloading ${name}` }),
    );
    expect(shown(...failures)).toStartWith(
      "CSP_REGISTRY_UNREACHABLE: no answer from the registry for `p1`, `p2`, `p3`, `p4`, `p5` and 2 more: it stayed silent",
    );
  });

  test("beyond ten are counted", () => {
    const failures = Array.from(
      { length: 14 },
      (_, i): ResolveFailure => ({ kind: "no-package", name: `p${i}`, text: "" }),
    );
    const error = failureError(failures, context);
    expect(error.details.at(-1)).toBe("and 4 more");
    expect(error.data.failures).toHaveLength(14);
  });
});

test("the code is that of what must be mended first, and 75 only where waiting may help", () => {
  const code = (...kinds: FailureKind[]) =>
    failureError(
      kinds.map((kind) => ({ kind, name: "x", text: "" })),
      context,
    );
  const cases: [FailureKind[], string, number][] = [
    [["no-version", "unauthorized", "timeout"], "CSP_REGISTRY_AUTH", 2],
    [["unreachable", "no-version", "too-young"], "CSP_RESOLVE_FAILED", 2],
    [["too-young", "source"], "CSP_SOURCE_REFUSED", 5],
    [["unreachable", "too-young"], "CSP_TOO_YOUNG", 5],
    [["timeout", "unreachable"], "CSP_REGISTRY_UNREACHABLE", 75],
    [["server-error"], "CSP_REGISTRY_ANSWER", 75],
    [["bad-answer"], "CSP_REGISTRY_ANSWER", 75],
    [["timeout"], "CSP_RESOLVE_TIMEOUT", 75],
    [["peer"], "CSP_RESOLVE_FAILED", 2],
    [["invalid-name"], "CSP_RESOLVE_FAILED", 2],
    [["unknown"], "CSP_RESOLVE_FAILED", 2],
  ];
  for (const [kinds, expected, exit] of cases) expect(code(...kinds)).toMatchObject({ code: expected, exit });
});
