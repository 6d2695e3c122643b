/** What stores hold when a command comes to them: made once, by csp's own code, and copied for each attempt. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { storeKey } from "../../src/core/store-key.ts";
import { beginIntent } from "../../src/core/store-protocol.ts";
import { planBundle, writeBundle } from "../../src/ops/bundle-create.ts";
import { swapRoot } from "../../src/ops/store-change.ts";
import { applyStoreGc } from "../../src/ops/store-gc.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import type { Store } from "../../src/store/store.ts";
import { type Contents, contentsOf } from "./places.ts";
import { publish } from "./roles.ts";
import type { World } from "./world.ts";

export interface StoreContents {
  /** Versions 0, 1 and 2, one after the other as `stable`. */
  three: Contents;
  /** The same after a collection: version 2 alone, and what only the others needed is doomed and still there. */
  doomed: Contents;
  /** The three, blobs of a dead publication, an upload that nobody refers to, and an object whose deletion broke off. */
  littered: Contents;
  /** Path of a bundle with the packages of version 1 and a further one, as channel `edge`. */
  bundle: string;
}

export async function makeContents(world: World): Promise<StoreContents> {
  const store = createMemoryStore();
  for (const project of world.projects.slice(0, 3)) await publish(world, store, project);
  const three = await contentsOf(store);
  await litter(store);
  const littered = await contentsOf(store);
  const other = createMemoryStore();
  for (const project of world.projects.slice(0, 3)) await publish(world, other, project);
  const context = world.context(world.directory);
  await applyStoreGc(context, other, { keep: 1, grace: 3_600_000, intentLimit: 0 });
  const edge = createMemoryStore();
  await publish(world, edge, world.more, "edge");
  const bundle = join(world.directory, "edge.bundle");
  await writeBundle(context, edge, await planBundle(edge, { channels: [], since: [] }), bundle);
  return { three, doomed: await contentsOf(other), littered, bundle };
}

async function litter(store: Store): Promise<void> {
  const put = async (text: string): Promise<string> => {
    const digest = new Bun.CryptoHasher("sha512").update(text).digest("hex");
    const key = storeKey({ kind: "blobs", digest, nonce: random() });
    await store.blobs.put(key, Buffer.from(text));
    return key;
  };
  const [dead, broken] = [await put("of a dead publication"), await put("of a deletion that broke off")];
  await put("of nobody");
  const claim = { bases: [], reused: [], fresh: [dead] };
  await swapRoot(store, (root) => {
    if (root === undefined) throw new Error("an empty store");
    return beginIntent(root, { id: random(), purpose: "publish", claim, at: Date.now(), by: "dead@test" });
  });
  await swapRoot(store, (root) => {
    if (root === undefined) throw new Error("an empty store");
    return { ...root, generation: root.generation + 1, deleting: [broken] };
  });
}

function random(): string {
  return randomBytes(16).toString("hex");
}
