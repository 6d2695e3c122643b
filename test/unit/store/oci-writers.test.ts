/** Writers of one root in a real registry, which has no compare-and-swap: how far they are told apart. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Root, RootState, Store } from "../../../src/store/store.ts";
import { hasRegistry, type Registry, startRegistry } from "../../support/servers/docker-registry.ts";
import { codeOf } from "./objects.ts";
import { openAt, startGate } from "./oci-fixture.ts";

type Step = PromiseWithResolvers<void>;
let registry: Registry;

async function textOf(store: Store): Promise<string | undefined> {
  return ((await store.root.read()) as RootState | undefined)?.text;
}

async function versionOf(store: Store): Promise<string | undefined> {
  return ((await store.root.read()) as RootState | undefined)?.version;
}

if (hasRegistry()) {
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());
  describe("writers of a root in a registry", writers);
} else {
  test.skip("writers of a root in a real registry (needs docker-registry)", () => {});
}

function writers(): void {
  test("that meet at one moment: one wins, and none of the updates is lost", async () => {
    const address = registry.newAddress();
    const clients = [0, 1, 2].map(() => openAt(address, {}, { settleMs: 150 }));
    let version: string | undefined;
    for (let round = 0; round < 4; round++) {
      const texts = clients.map((_, n) => `${round}/${n}`);
      const versions = await Promise.all(clients.map((client, n) => client.root.swap(version, texts[n] as string)));
      const winners = versions.flatMap((each, n) => (each === undefined ? [] : [texts[n]]));
      const state = (await openAt(address).root.read()) as RootState;
      expect(winners.length).toBeLessThanOrEqual(1);
      if (winners.length === 1) expect(state.text).toBe(winners[0] as string);
      version = state?.version;
    }
    expect(version).toBeDefined();
  });

  test("that claim one number at the same moment: the claim that stays is the one that counts", async () => {
    const address = registry.newAddress();
    const first = await openAt(address).root.swap(undefined, "first");
    const [ready, go, done] = Array.from({ length: 3 }, () => Promise.withResolvers<void>()) as [Step, Step, Step];
    const slow = startGate(registry.host, async (request) => {
      if (/^PUT .*csp-generation-2$/.test(request)) {
        ready.resolve();
        await go.promise;
      }
      if (/^HEAD .*csp-generation-2$/.test(request)) done.resolve();
      return undefined;
    });
    const fast = startGate(registry.host, async (request) => {
      if (/^PUT .*csp-generation-2$/.test(request)) await ready.promise;
      if (/^HEAD .*csp-generation-2$/.test(request)) {
        go.resolve();
        await done.promise;
      }
      return undefined;
    });
    const [one, other] = [slow, fast].map((gate) => openAt(address.replace(registry.host, gate.host)).root) as [
      Root,
      Root,
    ];
    const [slowly, quickly] = await Promise.all([one.swap(first, "slow"), other.swap(first, "fast")]);
    expect(quickly).toBeUndefined();
    expect(slowly).toBeDefined();
    expect(await textOf(openAt(address))).toBe("slow");
    for (const gate of [slow, fast]) gate.stop();
  });

  test("give others the time to be seen", async () => {
    const address = registry.newAddress();
    const times: [string, number][] = [];
    const gate = startGate(registry.host, (request) => {
      times.push([request.replace(/ .*\//, " "), performance.now()]);
      return undefined;
    });
    await openAt(address.replace(registry.host, gate.host), {}, { settleMs: 120 }).root.swap(undefined, "{}");
    const at = (request: string): number => times.find(([name]) => name === request)?.[1] ?? Number.NaN;
    expect(at("HEAD csp-generation-1") - at("PUT csp-generation-1")).toBeGreaterThan(119);
    gate.stop();
  });

  test("that die after their claim have made their change, which the next writer completes", async () => {
    const address = registry.newAddress();
    const first = await openAt(address).root.swap(undefined, "first");
    const gate = startGate(registry.host, (request) =>
      /^PUT .*csp-root$/.test(request) ? new Response("", { status: 503 }) : undefined,
    );
    const dying = openAt(address.replace(registry.host, gate.host));
    expect(await codeOf(dying.root.swap(first, "second"))).toBe("CSP_STORE_UNREACHABLE");
    gate.stop();
    const next = openAt(address);
    expect(await textOf(next)).toBe("first");
    expect(await next.root.swap(first, "third")).toBeUndefined();
    expect(await textOf(next)).toBe("second");
    expect(await next.root.swap(await versionOf(next), "third")).toBeDefined();
    expect(await textOf(openAt(address))).toBe("third");
  });

  test("that were stopped before the last step undo nothing for longer than they need to notice", async () => {
    const address = registry.newAddress();
    const other = openAt(address);
    const first = await other.root.swap(undefined, "first");
    const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const gate = startGate(registry.host, async (request) => {
      if (!/^PUT .*csp-root$/.test(request)) return undefined;
      reached.resolve();
      await go.promise;
      return undefined;
    });
    const stopped = openAt(address.replace(registry.host, gate.host));
    const swapping = stopped.root.swap(first, "second, slowly");
    await reached.promise;
    expect(await other.root.swap(first, "other")).toBeUndefined();
    expect(await textOf(other)).toBe("second, slowly");
    for (const text of ["third", "fourth"]) await other.root.swap(await versionOf(other), text);
    go.resolve();
    expect(await swapping).toBeDefined();
    expect(await textOf(openAt(address))).toBe("fourth");
    gate.stop();
  });

  test("that were stopped before their claim change nothing", async () => {
    const address = registry.newAddress();
    const other = openAt(address);
    const first = await other.root.swap(undefined, "first");
    const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const gate = startGate(registry.host, async (request) => {
      if (!/^PUT .*csp-generation-2$/.test(request)) return undefined;
      reached.resolve();
      await go.promise;
      return undefined;
    });
    const swapping = openAt(address.replace(registry.host, gate.host)).root.swap(first, "late");
    await reached.promise;
    const second = await other.root.swap(first, "second");
    expect(second).toBeDefined();
    go.resolve();
    expect(await swapping).toBeUndefined();
    expect(await textOf(other)).toBe("second");
    expect(await other.root.swap(second, "third")).toBeDefined();
    gate.stop();
  });
}
