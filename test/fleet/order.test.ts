/** Hosts that read from several stores in order, and sites that only a file reaches. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGate, startProxy } from "../support/proxy.ts";
import { http } from "../support/wires.ts";
import { createHost, type Host } from "./hosts.ts";
import { startServing } from "./serving.ts";
import { createWorld, type World } from "./world.ts";

const limit = 120_000;

let world: World;
/** A store with versions 0 and 1, and a copy of it. */
let first: string;
let second: string;

beforeAll(async () => {
  world = await createWorld();
  [first, second] = [world.place(), world.place()];
  for (const number of [0, 1]) await publish(number, first);
  cpSync(first, second, { recursive: true });
}, limit);

afterAll(() => world?.stop());

/** Publishes a version and gives its hash. */
async function publish(number: number, store: string): Promise<string> {
  const said = await world.csp(["publish", "--json", "--store", store, "-C", world.projects[number] ?? ""]);
  return JSON.parse(said).data.release;
}

/** Syncs a host from these stores in this order and gives what it says, as data. */
async function sync(host: Host, ...stores: string[]): Promise<{ fetched: number; to: string }> {
  const named = stores.flatMap((store) => ["--store", store]);
  const said = await world.csp(["sync", "--json", ...named, "--data-dir", host.data]);
  return JSON.parse(said).data;
}

/** A copy of the store in which something happens to every blob, or release. */
function spoiledCopy(kind: "blobs" | "releases", spoil: (path: string) => void): string {
  const copy = world.place();
  cpSync(first, copy, { recursive: true });
  for (const name of readdirSync(join(copy, kind))) spoil(join(copy, kind, name));
  return copy;
}

test(
  "the first store goes away in the middle of a sync: the rest comes from the second",
  async () => {
    // What the store is, its root, the release, and two of the blobs.
    for (const requests of [3, 4, 5]) {
      const server = await startServing(world, first);
      const gate = createGate();
      const proxy = await startProxy(gate, server.port, http);
      const standing = gate.hold(requests, "before");
      const host = createHost(world);
      const store = `http://127.0.0.1:${proxy.port}`;
      const child = world.start(["sync", "--store", store, "--store", second, "--data-dir", host.data]);
      const held = await standing;
      proxy.stop();
      held.lose();
      const { status, stdout, stderr } = await child.end;
      if (status !== 0) throw new Error(`without the first store a sync ends with ${status}: ${stderr}`);
      expect(stdout).toMatch(/^current is now [0-9a-f]{12} from stable: 3 packages, 3 fetched /);
      await host.verify();
      await host.runScript();
      await server.stop();
    }
  },
  limit,
);

test(
  "what the first store lost or spoiled comes from the second",
  async () => {
    const spoils: ((path: string) => void)[] = [
      (path) => rmSync(path),
      (path) => {
        rmSync(path);
        writeFileSync(path, "other bytes");
      },
    ];
    for (const kind of ["blobs", "releases"] as const) {
      for (const spoil of spoils) {
        const store = spoiledCopy(kind, spoil);
        const host = createHost(world);
        expect((await sync(host, store, second)).fetched).toBe(3);
        await host.verify();
        await host.runScript();
        const alone = createHost(world);
        const { status } = await world.start(["sync", "--store", store, "--data-dir", alone.data]).end;
        expect([4, 75]).toContain(status);
        expect(alone.current()).toBeUndefined();
      }
    }
  },
  limit,
);

test(
  "with the first store away a host stays where it is, whatever the second says, and scripts run on",
  async () => {
    const server = await startServing(world, first);
    const host = createHost(world);
    const { to } = await sync(host, server.url, second);
    await server.stop();
    const named = ["--store", server.url, "--store", second];
    const { status, stderr } = await world.start(["sync", ...named, "--data-dir", host.data]).end;
    expect(status).toBe(75);
    expect(stderr).toMatch(/^error\[CSP_STORE_UNREACHABLE\]/);
    expect(host.current()).toBe(to);
    await host.runScript();
  },
  limit,
);

test(
  "a site without a network: bundles are carried to its store, which serves its hosts",
  async () => {
    const [site, whole, delta] = [world.place(), join(world.directory, "whole"), join(world.directory, "delta")];
    const team = world.place();
    const carried = await publish(2, team);
    await world.csp(["bundle", "create", whole, "--store", team]);
    await publish(3, team);
    await world.csp(["bundle", "create", delta, "--store", team, "--since", carried]);
    rmSync(team, { recursive: true });
    await world.registry.down();
    try {
      await world.csp(["bundle", "import", whole, "--store", site]);
      const server = await startServing(world, site);
      const host = createHost(world);
      expect((await sync(host, server.url)).fetched).toBe(3);
      await host.runScript();
      await world.csp(["bundle", "import", delta, "--store", server.url]);
      expect((await sync(host, server.url)).fetched).toBe(2);
      await host.runScript();
      await host.verify();
      await world.csp(["verify", `--store=${server.url}`]);
      await server.stop();
    } finally {
      await world.registry.up();
    }
  },
  limit,
);
