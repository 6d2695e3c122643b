/** Every way a registry can say no, as bun tells it and as csp understands it. */
import { afterAll, describe, expect, test } from "bun:test";
import type { ResolveFailure } from "../../../src/resolve/outcome.ts";
import type { ResolveRequest } from "../../../src/resolve/resolve.ts";
import { resolveWith, rootsOf, startRegistry } from "./fixture.ts";

const registry = startRegistry(
  {
    a: { versions: { "1.0.0": {}, "1.1.0": {} } },
    deep: { versions: { "1.0.0": { dependencies: { absent: "^1.0.0" } } } },
    range: { versions: { "1.0.0": { dependencies: { a: "^7.0.0" } } } },
    peer: { versions: { "1.0.0": { peerDependencies: { absent: "^1.0.0" } } } },
    evil: { versions: { "1.0.0": { dependencies: { "../evil": "1.0.0" } } } },
    young: { versions: { "1.0.0": {}, "1.1.0": {} }, time: { "1.1.0": new Date().toISOString() } },
    allYoung: { versions: { "1.0.0": {} }, time: { "1.0.0": new Date().toISOString() } },
    git: { versions: { "1.0.0": { dependencies: { x: "git+https://git.example.com/x.git" } } } },
    github: { versions: { "1.0.0": { dependencies: { x: "acme/x" } } } },
    url: { versions: { "1.0.0": { dependencies: { x: "http://127.0.0.1:1/x.tgz" } } } },
    link: { versions: { "1.0.0": { dependencies: { x: "link:./x" } } } },
    workspace: { versions: { "1.0.0": { dependencies: { x: "workspace:*" } } } },
    catalog: { versions: { "1.0.0": { dependencies: { x: "catalog:" } } } },
    optionalBroken: { versions: { "1.0.0": { optionalDependencies: { broken: "1.0.0" } } } },
    optionalGit: { versions: { "1.0.0": { optionalDependencies: { x: "git+https://git.example.com/x.git" } } } },
  },
  {
    locked: { status: 401 },
    "@s/closed": { status: 403 },
    broken: { status: 500, body: "\u001b[31merror: fake@1.0.0 failed to resolve" },
    busy: { status: 429 },
    page: { status: 200, body: "<html>\u001b[31m</html>\nerror: GET http://x/y - 401\n" },
  },
);
afterAll(() => registry.stop());

async function failuresOf(
  dependencies: Record<string, string>,
  more: Partial<ResolveRequest> = {},
): Promise<ResolveFailure[]> {
  const resolution = await resolveWith(registry, rootsOf(dependencies), { timeoutMs: 20_000, ...more });
  if (resolution.kind === "resolved") throw new Error(`it resolved: ${resolution.lock}`);
  return resolution.failures;
}

const offline = { text: expect.stringContaining("Expected tarball URL") as unknown as string };
const day = { minimumReleaseAgeMs: 86_400_000 };

const table: [string, Record<string, string>, Partial<ResolveFailure>, Partial<ResolveRequest>?][] = [
  ["a missing package", { absent: "1.0.0" }, { kind: "no-package", name: "absent", spec: "1.0.0", status: 404 }],
  ["a missing scoped package", { "@s/absent": "1.0.0" }, { kind: "no-package", name: "@s/absent", spec: "1.0.0" }],
  ["a missing alias", { x: "npm:absent@1.0.0" }, { kind: "no-package", name: "absent", spec: "1.0.0" }],
  ["a missing dependency", { deep: "1.0.0" }, { kind: "no-package", name: "absent", spec: "^1.0.0" }],
  ["a missing peer", { peer: "1.0.0" }, { kind: "no-package", name: "absent" }],
  ["a missing version", { a: "9.9.9" }, { kind: "no-version", name: "a", spec: "9.9.9" }],
  ["a missing version of an alias", { x: "npm:a@9.9.9" }, { kind: "no-version", name: "a", spec: "9.9.9" }],
  ["a range that nothing meets", { range: "1.0.0" }, { kind: "no-version", name: "a", spec: "^7.0.0" }],
  ["a missing tag", { a: "bogus" }, { kind: "no-tag", name: "a", spec: "bogus" }],
  ["a young version", { young: "1.1.0" }, { kind: "too-young", name: "young", spec: "1.1.0" }, day],
  ["a tag of young versions", { allYoung: "latest" }, { kind: "too-young", name: "allYoung", spec: "latest" }, day],
  ["401", { locked: "1.0.0" }, { kind: "unauthorized", name: "locked", status: 401 }],
  ["403", { "@s/closed": "1.0.0" }, { kind: "forbidden", name: "@s/closed", status: 403 }],
  ["500", { broken: "1.0.0" }, { kind: "server-error", name: "broken", status: 500 }],
  ["429", { busy: "1.0.0" }, { kind: "server-error", name: "busy", status: 429 }],
  ["a web page", { page: "1.0.0" }, { kind: "bad-answer", name: "page", spec: "1.0.0" }],
  ["an invalid name", { evil: "1.0.0" }, { kind: "invalid-name", name: "../evil", spec: "1.0.0" }],
  ["git", { git: "1.0.0" }, { kind: "source", name: "x", spec: "git+https://git.example.com/x.git" }],
  // Refused before any host is asked.
  ["github", { github: "1.0.0" }, { ...offline, kind: "source", name: "x", spec: "acme/x" }],
  ["a bare URL", { url: "1.0.0" }, { kind: "source", name: "x", spec: "http://127.0.0.1:1/x.tgz" }],
  ["a link", { link: "1.0.0" }, { kind: "source", name: "x", spec: "link:./x", parent: "link@1.0.0" }],
  ["a workspace", { workspace: "1.0.0" }, { kind: "source", name: "x", spec: "workspace:*" }],
  ["a catalog", { catalog: "1.0.0" }, { kind: "source", name: "x", spec: "catalog:" }],
  // Bun itself calls these two a success and locks the rest.
  ["500 for an optional package", { optionalBroken: "1.0.0" }, { kind: "server-error", name: "broken" }],
  ["an optional git dependency", { optionalGit: "1.0.0" }, { kind: "source", name: "x" }],
];

describe("one failure", () => {
  for (const [name, dependencies, expected, more] of table) {
    test(name, async () => {
      const failures = await failuresOf(dependencies, more);
      expect(failures).toEqual([expect.objectContaining(expected)]);
      expect(failures[0]?.text).not.toMatch(/[\u0000-\u001f]/);
    });
  }

  test("a registry where nobody listens", async () => {
    const closed = startRegistry({});
    await closed.stop();
    const resolution = await resolveWith(closed, rootsOf({ a: "1.0.0" }), { timeoutMs: 20_000 });
    expect(resolution).toEqual({
      kind: "failed",
      failures: [
        { kind: "unreachable", name: "a", spec: "1.0.0", text: "ConnectionRefused downloading package manifest a" },
      ],
    });
  });
});

test("all failures of a run, each once, sorted", async () => {
  const failures = await failuresOf({ locked: "1.0.0", deep: "1.0.0", absent: "1.0.0", a: "9.9.9", range: "1.0.0" });
  expect(failures.map(({ kind, name, spec }) => [kind, name, spec])).toEqual([
    ["no-version", "a", "9.9.9"],
    ["no-version", "a", "^7.0.0"],
    ["no-package", "absent", "1.0.0"],
    ["no-package", "absent", "^1.0.0"],
    ["unauthorized", "locked", "1.0.0"],
  ]);
});

test("addresses are told without user, password, query and fragment", async () => {
  const address = registry.url.replace("http://", "http://user:pa55word@");
  const failures = await failuresOf({ absent: "1.0.0" }, { npm: { npmrc: `registry=${address}\n`, env: {} } });
  expect(failures[0]?.url).toBe(`${registry.url}absent`);
  expect(JSON.stringify(failures)).not.toMatch(/user|pa55word/);
});
