import { describe, expect, test } from "bun:test";
import { findParents, type WalkManifest } from "../../../src/resolve/parents.ts";
import { rootsOf } from "./fixture.ts";

const limits = { manifests: 500, milliseconds: 5000, concurrency: 4 };

/** Manifests by name; `asked` collects the names in order. */
function registry(
  packages: Record<string, WalkManifest["versions"]>,
  tags: Record<string, Record<string, string>> = {},
) {
  const asked: string[] = [];
  const fetch = async (name: string) => {
    asked.push(name);
    const versions = packages[name];
    return versions ? { versions, tags: tags[name] } : undefined;
  };
  return { asked, fetch };
}

const small = {
  app: { "1.0.0": { dependencies: { mid: "^2.0.0", near: "1.x" } } },
  mid: { "2.0.0": {}, "2.1.0": { dependencies: { lost: "^1.0.0", app: "1.0.0" } }, "3.0.0": {} },
  near: { "1.0.0": { optionalDependencies: { far: "~1.0.0" } } },
  far: { "1.0.4": { dependencies: { lost: "^1.0.0", gone: "*" } } },
};

describe("the chain to a failure", () => {
  test("is a shortest one, through the newest versions in range", async () => {
    const { fetch } = registry(small);
    const chains = await findParents([{ name: "lost" }, { name: "gone" }], fetch, rootsOf({ app: "1.0.0" }));
    expect(chains("lost")).toEqual([["app@1.0.0", "mid@2.1.0", "lost@^1.0.0"]]);
    expect(chains("gone")).toEqual([["app@1.0.0", "near@1.0.0", "far@1.0.4", "gone@*"]]);
    expect(chains("other")).toEqual([]);
  });

  test("of a root is the root itself, and asks nothing", async () => {
    const { fetch, asked } = registry(small);
    const chains = await findParents([{ name: "app", spec: "1.0.0" }], fetch, rootsOf({ app: "1.0.0" }));
    expect(chains("app", "1.0.0")).toEqual([["app@1.0.0"]]);
    expect(asked).toEqual([]);
  });

  test("is that of the range which failed, where the name occurs in several", async () => {
    const { fetch } = registry(small);
    const failures = [
      { name: "mid", spec: "^9.0.0" },
      { name: "mid", spec: "^2.0.0" },
    ];
    const chains = await findParents(failures, fetch, rootsOf({ mid: "2.0.0", app: "1.0.0" }));
    expect(chains("mid", "^9.0.0")).toEqual([]);
    expect(chains("mid", "^2.0.0")).toEqual([["app@1.0.0", "mid@^2.0.0"]]);
  });

  test("goes through aliases, tags and peers, not through optional peers", async () => {
    const { fetch } = registry(
      {
        real: { "1.0.0": {}, "1.5.0": { dependencies: { other: "npm:second@next" } } },
        second: {
          "1.0.0": {},
          "2.0.0-rc.1": {
            peerDependencies: { lost: "*", extra: "*" },
            peerDependenciesMeta: { extra: { optional: true } },
          } as object,
        },
      },
      { second: { next: "2.0.0-rc.1" } },
    );
    const chains = await findParents([{ name: "lost" }, { name: "extra" }], fetch, rootsOf({ mine: "npm:real@1.5.0" }));
    expect(chains("lost")).toEqual([["mine@1.5.0", "other@2.0.0-rc.1", "lost@*"]]);
    expect(chains("extra")).toEqual([]);
  });

  test("ends at what comes from elsewhere: the registry is not asked for its name", async () => {
    const { fetch, asked } = registry({
      app: { "1.0.0": { dependencies: { x: "git+https://git.example.com/x.git" } } },
    });
    const failures = [{ name: "x", spec: "git+https://git.example.com/x.git" }, { name: "never" }];
    const chains = await findParents(failures, fetch, rootsOf({ app: "1.0.0" }));
    expect(chains("x", "git+https://git.example.com/x.git")).toEqual([
      ["app@1.0.0", "x@git+https://git.example.com/x.git"],
    ]);
    expect(asked).toEqual(["app"]);
  });

  test("survives cycles, failing requests and manifests of nonsense", async () => {
    const odd = {
      a: { "1.0.0": { dependencies: { b: "1.0.0", c: "1.0.0", d: "not a range", e: 7, __proto__: "1" } } },
      b: { "1.0.0": { dependencies: { a: "1.0.0", lost: "1.0.0" } } },
      d: { "not-a-version": null, "1.0.0": null },
    } as unknown as Record<string, WalkManifest["versions"]>;
    const { fetch } = registry(odd);
    const failing = async (name: string) => (name === "c" ? Promise.reject(new Error("no")) : fetch(name));
    const chains = await findParents([{ name: "lost" }, { name: "never" }], failing, rootsOf({ a: "1.0.0" }));
    expect(chains("lost")).toEqual([["a@1.0.0", "b@1.0.0", "lost@1.0.0"]]);
  });
});

describe("limits", () => {
  const ladder = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`p${i}`, { "1.0.0": { dependencies: { [`p${i + 1}`]: "1.0.0" } } }]),
  );

  test("manifests", async () => {
    const { fetch, asked } = registry(ladder);
    const chains = await findParents([{ name: "p50" }], fetch, rootsOf({ p0: "1.0.0" }), { ...limits, manifests: 20 });
    expect(asked).toHaveLength(20);
    expect(chains("p50")).toEqual([]);
  });

  test("time, also where an answer never comes; what was found until then counts", async () => {
    let aborted = false;
    const fetch = (name: string, signal: AbortSignal) => {
      if (name === "a") return Promise.resolve({ versions: { "1.0.0": { dependencies: { lost: "*", b: "*" } } } });
      signal.addEventListener("abort", () => (aborted = true));
      return new Promise<undefined>(() => {});
    };
    const few = { ...limits, milliseconds: 50 };
    const chains = await findParents(
      [{ name: "lost" }, { name: "never" }],
      fetch,
      rootsOf({ a: "1.0.0", b: "1.0.0" }),
      few,
    );
    expect(chains("lost")).toEqual([["a@1.0.0", "lost@*"]]);
    expect(aborted).toBe(true);
  });

  test("requests at a time", async () => {
    let running = 0;
    let most = 0;
    const fetch = async () => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return undefined;
    };
    const roots = rootsOf(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`p${i}`, "1.0.0"])));
    await findParents([{ name: "lost" }], fetch, roots, limits);
    expect(most).toBe(4);
  });
});
