/**
 * From an allowlist of real packages to a script on a host that reaches nothing but the store, by each kind of store; then one
 * package is changed, and exactly its blob travels. Needs the registry of the machine's npm configuration, and root for hosts
 * that reach nothing else: `CSP_TEST_NETWORK=1 bun test test/fleet/real-packages.test.ts`.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createIsland, hasIslands, type Island } from "../support/island.ts";
import { meets } from "../support/needs.ts";
import { createGate } from "../support/proxy.ts";
import { startChild } from "../support/script/child.ts";
import { hasCeph } from "../support/servers/ceph.ts";
import { hasRegistry } from "../support/servers/docker-registry.ts";
import { inCeph, inPostgres, inRegistry, type Kind, served } from "./places.ts";
import { createWorld, type World } from "./world.ts";

const limit = 5 * 60_000;
const packages = { chalk: "6.0.1", commander: "15.1.0", lodash: "4.17.21", semver: "7.8.6", zod: "4.6.7" };
const changed = { ...packages, lodash: "4.18.1" };

/** A directory, which needs no network at all. */
function directory(world: World): Kind {
  return {
    name: "a directory",
    async place() {
      const { store, stop } = await served(world).place(createGate(), undefined);
      return { store, address: store.address, stop };
    },
    async stop() {},
  };
}

const kinds: readonly [name: string, missing: string | undefined, open: (world: World) => Kind | Promise<Kind>][] = [
  ["a directory", undefined, directory],
  ["csp serve", undefined, served],
  ["Ceph", hasCeph() ? undefined : "ceph", inCeph],
  ["Postgres", meets("postgres") ? undefined : "postgres", inPostgres],
  ["an OCI registry", hasRegistry() ? undefined : "docker-registry", inRegistry],
];

const script = `import chalk from "chalk";
import { Command } from "commander";
import lodash from "lodash";
import semver from "semver";
import { z } from "zod";
console.log(JSON.stringify([
  typeof chalk.red, new Command("x").name(), lodash.VERSION, semver.inc("1.2.3", "minor"), z.string().parse("text"),
]));
`;

let world: World;
/** The project with all packages, and with one changed; locked. */
let before: string;
let after: string;
/** The cache that publications read from. */
let cache: string;

const unmet = [...(meets("network") ? [] : ["network"]), ...(hasIslands() ? [] : ["network namespaces"])];

/** A command in the environment of the one who runs the tests, whose npm configuration names the registry. */
async function connected(...args: string[]): Promise<string> {
  return run([join(world.directory, "csp-1/bin/csp"), ...args], {
    ...process.env,
    ...world.env,
    HOME: process.env.HOME,
  });
}

async function run(argv: string[], env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const defined = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const options = { argv, cwd: world.directory, env: Object.fromEntries(defined), stdin: undefined, tty: false, limit };
  const { status, stdout, stderr } = await startChild(options).end;
  if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}

async function project(name: string, versions: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(world.directory, name);
  mkdirSync(folder);
  const lines = Object.entries(versions).map(([each, version]) => `  ${each}: ${version}\n`);
  writeFileSync(join(folder, "script-packages.yaml"), `packages:\n${lines.join("")}`);
  await connected("install", "--no-frozen-lockfile", "-C", folder, "--data-dir", cache);
  return folder;
}

/** A host that reaches the store at this address, and nothing else. */
async function isolatedHost(address: string): Promise<{ island: Island; csp(...args: string[]): Promise<string> }> {
  const port = /127\.0\.0\.1:(\d+)/.exec(address)?.[1];
  const island = await createIsland(port === undefined ? [] : [Number(port)]);
  const csp = [...island.prefix, join(world.directory, "csp-1/bin/csp")];
  return { island, csp: (...args) => run([...csp, ...args], world.env) };
}

async function endToEnd(kind: Kind): Promise<void> {
  const gate = createGate();
  const place = await kind.place(gate, undefined);
  const { island, csp } = await isolatedHost(place.address);
  try {
    const publish = async (folder: string): Promise<{ uploaded: number; reused: number }> =>
      JSON.parse(await connected("publish", "--json", "--store", place.address, "-C", folder, "--data-dir", cache))
        .data;
    const data = world.place();
    mkdirSync(data);
    const path = join(data, "script.ts");
    writeFileSync(path, script);
    const sync = async (): Promise<{ fetched: number; built: number }> =>
      JSON.parse(await csp("sync", "--json", "--store", place.address, "--data-dir", data)).data;
    const imports = async (): Promise<unknown> => JSON.parse(await csp("run", "--data-dir", data, path));

    const { uploaded } = await publish(before);
    expect(uploaded).toBe(Object.keys(packages).length);
    expect((await sync()).fetched).toBe(uploaded);
    expect(await imports()).toEqual(["function", "x", packages.lodash, "1.3.0", "text"]);

    expect(await publish(after)).toMatchObject({ uploaded: 1, reused: uploaded - 1 });
    const asked = gate.requests.length;
    expect(await sync()).toMatchObject({ fetched: 1, built: 1 });
    const blobs = gate.requests
      .slice(asked)
      .filter((request) => /^(?:GET|HEAD) .*\/blobs\/[0-9a-f]{100}/.test(request));
    if (kind.name === "csp serve over a directory" || kind.name === "Ceph") expect(blobs).toHaveLength(1);
    expect(await imports()).toEqual(["function", "x", changed.lodash, "1.3.0", "text"]);
    await csp("verify", "--deep", "--data-dir", data);
    // From there nothing else can be reached, neither the registry nor another port of this machine.
    const away = `http://127.0.0.1:${new URL(world.registry.url).port}/tick`;
    const reached = Bun.spawnSync([...island.prefix, process.execPath, "-e", `await fetch("${away}")`]);
    expect(reached.exitCode).not.toBe(0);
    expect((await fetch(away)).status).toBe(200);
  } finally {
    await island.stop();
    await place.stop();
  }
}

describe("from the allowlist to a script on a host that reaches only the store", () => {
  if (unmet.length > 0) {
    test.skip(`by each kind (needs ${unmet.join(", ")})`, () => {});
    return;
  }

  beforeAll(async () => {
    world = await createWorld();
    cache = world.place();
    before = await project("before", packages);
    after = await project("after", changed);
  }, limit);

  afterAll(() => world?.stop());

  for (const [name, missing, open] of kinds) {
    (missing === undefined ? test : test.skip)(
      missing === undefined ? `through ${name}` : `through ${name} (needs ${missing})`,
      async () => {
        const kind = await open(world);
        try {
          await endToEnd(kind);
        } finally {
          await kind.stop();
        }
      },
      limit,
    );
  }
});
