/** `csp sync --watch` as a service: it reacts at once, bears with a store that is away, and ends when it is told to. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createGate, type GateKeeper, type StoreProxy, startProxy } from "../support/proxy.ts";
import type { Child } from "../support/script/child.ts";
import { http } from "../support/wires.ts";
import { createHost, type Host, until, watch } from "./hosts.ts";
import { type Serving, startServing } from "./serving.ts";
import { createWorld, type World } from "./world.ts";

const limit = 120_000;

let world: World;
let directory: string;
let server: Serving;
const running: Child[] = [];
const proxies: StoreProxy[] = [];

beforeAll(async () => {
  world = await createWorld();
  directory = world.place();
  server = await startServing(world, directory);
}, limit);

afterAll(async () => {
  for (const child of running) child.kill();
  for (const proxy of proxies) proxy.stop();
  await server?.stop();
  await world?.stop();
});

/** Publishes by a path of its own, which is there when the server is not. */
async function publish(number: number): Promise<void> {
  await world.csp(["publish", "--store", directory, "-C", world.projects[number] ?? ""]);
}

function startWatch(host: Host, store: string, more: readonly string[] = []): Child {
  const child = watch(world, host, store, more);
  running.push(child);
  return child;
}

async function throughGate(): Promise<{ gate: GateKeeper; url: string }> {
  const gate = createGate();
  const proxy = await startProxy(gate, server.port, http);
  proxies.push(proxy);
  return { gate, url: `http://127.0.0.1:${proxy.port}` };
}

function linesOf(child: Child): string[] {
  return child.output().stdout.split("\n").slice(0, -1);
}

/** Resolves when it has printed so many lines. */
function untilLines(child: Child, count: number): Promise<void> {
  return until(
    () => linesOf(child).length >= count,
    20_000,
    () => child.output().stdout,
  );
}

/** Nothing where the folder is not there: a sync that was ended early made none. */
function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Ends it with SIGTERM and sees to it that it is prompt and leaves nothing. */
async function terminate(child: Child, host: Host): Promise<void> {
  const started = performance.now();
  child.signal("SIGTERM");
  const { signal, status, stderr } = await child.end;
  const took = performance.now() - started;
  expect({ signal, status, stderr }).toEqual({ signal: "SIGTERM", status: 143, stderr: "" });
  expect(took).toBeLessThan(1000);
  const root = join(host.data, "script-packages");
  const left = [...namesIn(join(root, "tmp")), ...namesIn(root).filter((name) => name.startsWith(".csp-"))];
  expect(left).toEqual([]);
}

test(
  "a publication is seen within a second, however long the interval",
  async () => {
    await publish(0);
    const host = createHost(world);
    const child = startWatch(host, server.url, ["--interval", "10m"]);
    await child.shows("stdout", / current is now [0-9a-f]{12} from stable: 3 packages, 3 fetched /);
    const delays: number[] = [];
    for (const number of [1, 2, 3, 4]) {
      const before = host.current();
      await publish(number);
      const published = performance.now();
      await until(
        () => host.current() !== before,
        10_000,
        () => child.output().stdout,
      );
      delays.push(performance.now() - published);
      await untilLines(child, number + 1);
      await host.runScript();
    }
    // A loaded machine is slow now and then, not every time.
    expect(Math.min(...delays)).toBeLessThan(1000);
    expect(linesOf(child)).toHaveLength(5);
    await terminate(child, host);
    await host.verify();
  },
  limit,
);

test(
  "a watch with nothing to do asks once an interval",
  async () => {
    const { gate, url } = await throughGate();
    const host = createHost(world);
    const child = startWatch(host, url, ["--interval", "500ms"]);
    await child.shows("stdout", / current is now /);
    const looks = (): number => gate.requests.filter((request) => request === "GET /root").length;
    const [before, started] = [looks(), performance.now()];
    await until(
      () => looks() >= before + 4,
      20_000,
      () => gate.requests.join("\n"),
    );
    // The first of them may come at any time; a pause follows each of the others.
    expect(performance.now() - started).toBeGreaterThan(3 * 450);
    expect(linesOf(child)).toHaveLength(1);
    await terminate(child, host);
  },
  limit,
);

test(
  "a directory is watched, too",
  async () => {
    await publish(0);
    const host = createHost(world);
    const child = startWatch(host, directory, ["--interval", "200ms"]);
    await child.shows("stdout", / current is now /);
    await publish(1);
    await untilLines(child, 2);
    await terminate(child, host);
    await host.runScript();
  },
  limit,
);

test(
  "SIGTERM ends it at once in the middle of a sync, and leaves nothing",
  async () => {
    await publish(2);
    for (const [index, path] of ["csp-store", "root", "releases", "blobs"].entries()) {
      const { gate, url } = await throughGate();
      const host = createHost(world);
      const standing = gate.hold(index + 1, "before");
      const child = startWatch(host, url);
      const held = await standing;
      expect(held.label).toContain(`GET /${path}`);
      await terminate(child, host);
      held.lose();
      expect(host.current()).toBeUndefined();
      await world.csp(["sync", "--store", url, "--data-dir", host.data]);
      await host.verify();
      await host.runScript();
    }
  },
  limit,
);

test(
  "a store that is away is told once, tried again, and told once when it is back; scripts run on",
  async () => {
    await publish(3);
    const host = createHost(world);
    const child = startWatch(host, server.url, ["--interval", "300ms"]);
    await child.shows("stdout", / current is now /);
    const before = host.current();
    await server.stop();
    await publish(4);
    await child.shows("stdout", /\n\S+Z CSP_STORE_UNREACHABLE: .*; trying again in \d+s\n/);
    await host.runScript();
    expect(host.current()).toBe(before);
    server = await startServing(world, directory, server.port);
    await untilLines(child, 4);
    expect(linesOf(child).map((line) => line.replace(/^\S+Z | [0-9a-f]{12} .*|: .*/g, ""))).toEqual([
      "current is now",
      "CSP_STORE_UNREACHABLE",
      "the store answers again",
      "current is now",
    ]);
    await terminate(child, host);
    await host.verify();
  },
  limit,
);
