/** What bun gets to see of the machine, and what of the credentials stays behind. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { resolve } from "../../../src/resolve/resolve.ts";
import { testNeeding } from "../../support/needs.ts";
import { lockOf, resolveWith, rootsOf, startRegistry, withTemp } from "./fixture.ts";

const token = "canary-5f1c0ffee-token";
const registry = startRegistry(
  {
    a: { versions: { "1.0.0": {} } },
    "@s/q": { versions: { "1.0.0": {} } },
    echo: { versions: { "1.0.0": { dependencies: { [`x-${token}`]: "1.0.0" } } } },
    deprecated: { versions: { "1.0.0": { deprecated: `you sent ${token}` } } },
    bin: { versions: { "1.0.0": { bin: { [token]: "x.js" } } } },
  },
  { locked: { status: 401 } },
);
afterAll(() => registry.stop());

const npm = {
  npmrc: `registry=${registry.url}\n${registry.place}:_authToken=\${CSP_TOKEN_0}\n`,
  env: { CSP_TOKEN_0: token },
};

/** Runs with other variables and another working directory than the tests', and puts both back. */
async function within<T>(directory: string, env: Record<string, string>, use: () => Promise<T>): Promise<T> {
  const before = { cwd: process.cwd(), env: { ...process.env } };
  process.chdir(directory);
  Object.assign(process.env, env);
  try {
    return await use();
  } finally {
    process.chdir(before.cwd);
    for (const name of Object.keys(env)) {
      if (before.env[name] === undefined) delete process.env[name];
      else process.env[name] = before.env[name];
    }
  }
}

describe("configuration", () => {
  test("comes from the request only, not from the machine", async () => {
    await withTemp(async (user) => {
      const elsewhere = startRegistry({ a: { versions: { "1.0.0": { bin: "elsewhere.js" } } } });
      writeFileSync(join(user, ".npmrc"), `registry=${elsewhere.url}\n${registry.place}:_authToken=of-the-home\n`);
      writeFileSync(join(user, ".env"), `BUN_CONFIG_REGISTRY=${elsewhere.url}\n`);
      writeFileSync(join(user, "bunfig.toml"), `[install]\nregistry = "${elsewhere.url}"\n`);
      writeFileSync(join(user, ".bunfig.toml"), `[install]\nregistry = "${elsewhere.url}"\n`);
      const env = {
        HOME: user,
        XDG_CONFIG_HOME: user,
        NPM_CONFIG_REGISTRY: elsewhere.url,
        npm_config_registry: elsewhere.url,
        BUN_CONFIG_REGISTRY: elsewhere.url,
        BUN_CONFIG_TOKEN: "of-the-environment",
        NPM_CONFIG_USERCONFIG: join(user, ".npmrc"),
      };
      const from = registry.requests.length;
      const lock = await within(user, env, async () => lockOf(await resolveWith(registry, rootsOf({ a: "1.0.0" }))));
      expect(lock).toContain(`${registry.url}a/-/a-1.0.0.tgz`);
      expect(elsewhere.requests).toEqual([]);
      expect(registry.requests.slice(from)).toEqual([{ path: "/a", authorization: null }]);
      expect(readdirSync(user).sort()).toEqual([".bunfig.toml", ".env", ".npmrc", "bunfig.toml"]);
      await elsewhere.stop();
    });
  });

  test("cannot be turned against csp by the variables of the request", async () => {
    const env = { HOME: "/nonexistent", NPM_CONFIG_USERCONFIG: "/nonexistent", BUN_INSTALL_CACHE_DIR: "/nonexistent" };
    const more = { npm: { npmrc: `registry=${registry.url}\n`, env } };
    expect(lockOf(await resolveWith(registry, rootsOf({ a: "1.0.0" }), more))).toContain("a@1.0.0");
  });

  test("scopes have their own registry and credentials", async () => {
    const scoped = startRegistry({ "@s/q": { versions: { "1.0.0": {} } } });
    const npmrc = `registry=${registry.url}\n@s:registry=${scoped.url}\n${scoped.place}:_authToken=\${CSP_TOKEN_0}\n`;
    const from = registry.requests.length;
    lockOf(await resolveWith(registry, rootsOf({ a: "1.0.0", "@s/q": "1.0.0" }), { npm: { ...npm, npmrc } }));
    expect(scoped.requests).toEqual([{ path: "/@s%2fq", authorization: `Bearer ${token}` }]);
    expect(registry.requests.slice(from)).toEqual([{ path: "/a", authorization: null }]);
    await scoped.stop();
  });
});

describe("credentials", () => {
  test("reach the registry and no file", async () => {
    await withTemp(async (directory) => {
      const scratch = join(directory, "scratch");
      mkdirSync(scratch);
      const from = registry.requests.length;
      const base = { previous: undefined, npm, bun: process.execPath, scratch, timeoutMs: 20_000 };
      lockOf(await resolve({ ...base, roots: rootsOf({ a: "1.0.0" }) }));
      expect(registry.requests.slice(from)).toEqual([{ path: "/a", authorization: `Bearer ${token}` }]);
      const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const names = files.map((entry) => join(entry.parentPath, entry.name));
      expect(names).toContain(join(scratch, "npmrc"));
      expect(names.filter((name) => readFileSync(name).includes(token))).toEqual([]);
      expect(statSync(join(scratch, "npmrc")).mode & 0o777).toBe(0o600);
    });
  });

  test("are in no failure and no remark, even where the registry echoes them", async () => {
    const roots = rootsOf({ locked: "1.0.0", echo: "1.0.0" });
    const failed = await resolveWith(registry, roots, { npm, timeoutMs: 20_000 });
    expect(failed).toMatchObject({ kind: "failed", failures: [{ kind: "unauthorized" }, { name: "x-***" }] });
    const remarked = await resolveWith(registry, rootsOf({ deprecated: "1.0.0" }), { npm });
    expect(remarked).toMatchObject({ warnings: [{ text: "`deprecated@1.0.0` is deprecated: you sent ***" }] });
    expect(JSON.stringify([failed, remarked])).not.toContain(token);
  });

  test("in the registry's manifests are no lockfile", async () => {
    const resolution = await resolveWith(registry, rootsOf({ bin: "1.0.0" }), { npm });
    expect(resolution).toMatchObject({ kind: "failed", failures: [{ kind: "bad-answer" }] });
  });

  testNeeding(["linux"], "are not in bun's arguments, and its environment is csp's own list", async () => {
    const hanging = startRegistry({}, { hang: "hang" });
    const npmrc = `registry=${hanging.url}\n${hanging.place}:_authToken=\${CSP_TOKEN_0}\n`;
    const control = new AbortController();
    const more = { npm: { ...npm, npmrc }, signal: control.signal };
    const resolution = resolveWith(hanging, rootsOf({ hang: "1.0.0" }), more);
    await hanging.asked;
    expect(hanging.requests[0]?.authorization).toBe(`Bearer ${token}`);
    const children = processes().filter(({ parent }) => parent === process.pid);
    control.abort();
    await expect(resolution).rejects.toThrow();
    const bun = children.find(({ args }) => args.includes("--lockfile-only"));
    expect(bun?.args.join(" ")).not.toContain(token);
    expect(bun?.variables.sort()).toEqual([
      "BUN_BE_BUN",
      "BUN_CONFIG_HTTP_IDLE_TIMEOUT",
      "BUN_CONFIG_HTTP_RETRY_COUNT",
      "BUN_FEATURE_FLAG_NO_ORPHANS",
      "BUN_INSTALL_CACHE_DIR",
      "CSP_TOKEN_0",
      "DO_NOT_TRACK",
      "GITHUB_API_URL",
      "HOME",
      "NO_COLOR",
      "NPM_CONFIG_USERCONFIG",
      "TMPDIR",
      "XDG_CONFIG_HOME",
    ]);
    await hanging.gone;
    await hanging.stop();
  });
});

/** The processes of this machine that may be read. */
function processes(): { parent: number; args: string[]; variables: string[] }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, "utf8");
        const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
        const parent = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
        return [{ parent, args, variables: variables.map((entry) => entry.slice(0, entry.indexOf("="))) }];
      } catch {
        return [];
      }
    });
}
