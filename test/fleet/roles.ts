/** What everybody in a fleet does, by csp's own code in this process, and what must be true of a store afterwards. */
import { join } from "node:path";
import type { Code } from "../../src/core/codes.ts";
import { isCspError } from "../../src/core/errors.ts";
import type { StoreKey } from "../../src/core/store-key.ts";
import { completeObjects } from "../../src/core/store-protocol.ts";
import { livingKeys } from "../../src/core/store-protocol-collect.ts";
import type { StoreRoot } from "../../src/core/store-root.ts";
import { applyPublish, type PublishOutcome, planPublish } from "../../src/ops/publish.ts";
import { readRoot } from "../../src/ops/store-change.ts";
import { applyStoreGc } from "../../src/ops/store-gc.ts";
import { createReferenceReader } from "../../src/ops/store-references.ts";
import { verifyStore } from "../../src/ops/store-verify.ts";
import { applySync, type SyncOutcome } from "../../src/ops/sync.ts";
import { verifyHost } from "../../src/ops/verify.ts";
import type { Store } from "../../src/store/store.ts";
import type { World } from "./world.ts";

/** Publishes a project. */
export function publish(world: World, store: Store, project: string, channel = "stable"): Promise<PublishOutcome> {
  return applyPublish(world.context(project), store, { channel, reason: undefined });
}

/** The hash that a project has as a release. */
export async function hashOf(world: World, store: Store, project: string): Promise<string> {
  return (await planPublish(world.context(project), store, { channel: "stable", reason: undefined })).hash;
}

/** Collects without any grace; publications that stand still for `patience` milliseconds are taken for dead. */
export async function collect(world: World, store: Store, patience = 0): Promise<void> {
  const { failed } = await applyStoreGc(world.context(world.directory), store, {
    keep: 1,
    grace: 0,
    intentLimit: patience,
  });
  if (failed.length > 0) throw new Error(`a collection could not delete: ${JSON.stringify(failed)}`);
}

/** Syncs a host and sees to it that it is whole. */
export async function syncHost(world: World, store: Store, data: string, channel = "stable"): Promise<SyncOutcome> {
  const ctx = world.context(world.directory, join(data, "script-packages"));
  const limits = { sizeCap: {}, minimumFreeSpace: undefined };
  const options = { channel, allowOlder: false, downloadOnly: false, limits, reason: undefined };
  const outcome = await applySync(ctx, store, options);
  await expectWholeHost(world, data);
  return outcome;
}

/** Throws where anything on the host is damaged. */
export async function expectWholeHost(world: World, data: string): Promise<void> {
  const ctx = world.context(world.directory, join(data, "script-packages"));
  const { result, findings } = await verifyHost(ctx, { deep: true });
  if (result !== "sound") throw new Error(`the host is ${result}: ${JSON.stringify(findings)}`);
}

/** The root of a store that was published to. */
export async function rootOf(store: Store): Promise<StoreRoot> {
  const { root } = await readRoot(store);
  if (root === undefined) throw new Error(`${store.address} is empty`);
  return root;
}

/** Throws where a release of the store lacks a byte. */
export async function expectSound(world: World, store: Store, when: string): Promise<void> {
  const { result, findings } = await verifyStore(world.context(world.directory), store);
  if (result !== "sound") throw new Error(`${when} ${store.address} is ${result}: ${JSON.stringify(findings)}`);
}

/** Collects twice, and throws where anything is left that no release needs, or anything is missing. */
export async function expectTidy(world: World, store: Store): Promise<void> {
  await collect(world, store);
  await collect(world, store);
  const root = await rootOf(store);
  const references = await createReferenceReader(store).read(completeObjects(root));
  const living = livingKeys(root, references);
  const listed: StoreKey[] = [];
  for await (const page of store.blobs.list()) listed.push(...page.map(({ key }) => key));
  const left = listed.filter((key) => !living.has(key));
  const lost = [...living].filter((key) => !listed.includes(key));
  const open = { intents: root.intents.size, doomed: root.doomed.size, deleting: root.deleting.length };
  if (left.length + lost.length + open.intents + open.doomed + open.deleting > 0) {
    throw new Error(`two collections left ${JSON.stringify({ left, lost, open })}`);
  }
}

/** The code that an action fails with, of those that it may fail with; undefined where it succeeds. */
export async function refused(action: Promise<unknown>, ...codes: readonly Code[]): Promise<Code | undefined> {
  try {
    await action;
    return undefined;
  } catch (error) {
    if (isCspError(error) && codes.includes(error.code)) return error.code;
    throw error;
  }
}
