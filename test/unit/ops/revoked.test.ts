/** Publications and migrations that pause for days in the worst moment, while collectors take them for dead. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { StoreKey } from "../../../src/core/store-key.ts";
import type { Context } from "../../../src/ops/context.ts";
import { applyMigration } from "../../../src/ops/migrate.ts";
import { applyPublish } from "../../../src/ops/publish.ts";
import { readRoot } from "../../../src/ops/store-change.ts";
import { applyStoreGc } from "../../../src/ops/store-gc.ts";
import { verifyStore } from "../../../src/ops/store-verify.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import type { Store } from "../../../src/store/store.ts";
import { createHost, type TestHost } from "../verify/host.ts";

let host: TestHost;

beforeAll(async () => {
  host = await createHost(["one", "two"].map((name) => ({ name, version: "1.0.0", files: { "index.js": "" } })));
});
afterAll(() => host[Symbol.asyncDispose]());

const publishes = async (store: Store, name: string, channel = "stable"): Promise<void> => {
  await host.install(`packages:\n  ${name}: 1.0.0\n`);
  await applyPublish(host.ctx, store, { channel, reason: undefined });
};

/** Collects without patience. Each deletion is done, and told to `twice`, who may do it once more, later. */
async function collect(ctx: Context, store: Store, twice: (key: StoreKey) => void): Promise<void> {
  const remove = async (key: StoreKey): Promise<void> => {
    twice(key);
    await store.blobs.delete(key);
  };
  const limits = { keep: 1, grace: 0, intentLimit: 0 };
  await applyStoreGc(ctx, { ...store, blobs: { ...store.blobs, delete: remove } }, limits);
}

test("a publication that paused after its first swap, whose answer was lost, does not use its keys again", async () => {
  const store = createMemoryStore();
  const late: StoreKey[] = [];
  let swaps = 0;
  const paused: Store = {
    ...store,
    root: {
      ...store.root,
      async swap(expected, text) {
        const version = await store.root.swap(expected, text);
        if (++swaps > 1) return version;
        // Days go by: collectors take the intent for dead. One of them stops in the middle of a deletion.
        for (let i = 0; i < 2; i++) await collect(host.ctx, store, (key) => late.push(key));
        const { root } = await readRoot(store);
        expect({ intents: root?.intents.size, deleting: root?.deleting }).toEqual({ intents: 0, deleting: [] });
        return undefined;
      },
    },
  };
  await publishes(paused, "one");
  expect(late).toHaveLength(1);
  for (const key of late) await store.blobs.delete(key);
  expect(await verifyStore(host.ctx, store)).toMatchObject({ result: "sound", findings: [] });
});

test("a publication into a store that was emptied meanwhile does not bring back what it had read", async () => {
  const store = createMemoryStore();
  await publishes(store, "one");
  let emptied: Store | undefined;
  const now = (): Store => emptied ?? store;
  const swept: Store = {
    ...store,
    root: {
      read: (known, options) => now().root.read(known, options),
      async swap(expected, text) {
        emptied ??= createMemoryStore();
        return now().root.swap(expected, text);
      },
    },
    blobs: {
      ...store.blobs,
      size: (key) => now().blobs.size(key),
      get: (key, limit) => now().blobs.get(key, limit),
      put: (key, bytes) => now().blobs.put(key, bytes),
    },
  };
  await publishes(swept, "one", "canary");
  expect([...((await readRoot(now())).root?.channels.keys() ?? [])]).toEqual(["canary"]);
  expect(await verifyStore(host.ctx, now())).toMatchObject({ result: "sound", findings: [] });
});

test("a migration whose intent was revoked between two rounds copies anew what was collected", async () => {
  const source = createMemoryStore("memory:source");
  const target = createMemoryStore("memory:target");
  await publishes(source, "one");
  await publishes(source, "two");
  let swaps = 0;
  const busy: Store = {
    ...source,
    root: {
      ...source.root,
      async swap(expected, text) {
        // The first is the intent, the second would be the mark.
        if (++swaps === 2) {
          await publishes(source, "one", "canary");
          await collect(host.ctx, target, () => {});
        }
        return source.root.swap(expected, text);
      },
    },
  };
  const { rounds, marked } = await applyMigration(host.ctx, busy, target, { concurrency: 2, to: target.address });
  expect({ rounds, marked }).toEqual({ rounds: 2, marked: true });
  expect((await readRoot(target)).root?.releases.size).toBe(2);
  expect(await verifyStore(host.ctx, target)).toMatchObject({ result: "sound", findings: [] });
});
