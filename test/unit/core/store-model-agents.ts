/** Who works with the stores of the model: publishers, operators, collectors and hosts, request by request as ops does it. */
import type { StoreKey } from "../../../src/core/store-key.ts";
import {
  abandonIntent,
  beginIntent,
  commitPublish,
  completeObjects,
  emptyRoot,
  extendIntent,
  isRefusal,
} from "../../../src/core/store-protocol.ts";
import { pinRelease, promote, unpinRelease } from "../../../src/core/store-protocol-channels.ts";
import { type CollectionPlan, clearDeleted, planCollection } from "../../../src/core/store-protocol-collect.ts";
import { chooseKeys } from "../../../src/core/store-protocol-keys.ts";
import { judgeRoot, type SeenRoot } from "../../../src/core/store-protocol-reader.ts";
import type { Intent, StoreRoot } from "../../../src/core/store-root.ts";
import {
  type Agent,
  ask,
  change,
  list,
  type ModelStore,
  put,
  type Request,
  readReferences,
  readRoot,
  remove,
  swap,
  type World,
} from "./store-model.ts";

/** In the model's time, of which one passes with a request. Both are shorter than pauses can be. */
export const grace = 30;
export const intentLimit = 150;
/** How wrong a clock can be. */
export const skew = 20;

export const noClaim = { bases: [], reused: [], fresh: [] };
const storeId = "0f".repeat(16);

/** A clock that is wrong in its own way. */
export function clockOf(world: World): () => number {
  const wrong = world.random.below(2 * skew + 1) - skew;
  return () => world.now + wrong;
}

/** The store that a root leads to. */
function movedTo(world: World, address: string): ModelStore {
  return address === "source" ? world.stores.source : world.stores.target;
}

/** Publishes one of few lockfiles with some of few blobs, so that much is shared, dropped, added again and replaced. */
export function* publisher(world: World): Agent {
  const { random } = world;
  const clock = clockOf(world);
  const by = "publisher";
  const hash = `${random.below(4)}`.repeat(64);
  const channel = random.chance(0.3) ? "canary" : "stable";
  const wanted = [0, 1, 2, 3].filter(() => random.chance(0.5)).map((i) => world.digestOf(`blob ${i}`));
  const references = new Map<StoreKey, readonly StoreKey[]>();
  let store = world.stores.source;
  for (let tries = 0; tries < 5; tries++) {
    const { root: planned = emptyRoot(storeId) } = yield* readRoot(store);
    if (planned.moved !== undefined) {
      store = movedTo(world, planned.moved.to);
      references.clear();
      continue;
    }
    const likely = completeObjects(planned).filter(() => random.chance(0.6));
    yield* readReferences(store, likely, references);
    const chosen = chooseKeys(planned, { wanted, references, prefer: likely });
    const reused = [...chosen.reused.values()];

    const begun = yield* begin(world, store, { chosen, reused, by, clock });
    if (begun === undefined) continue;
    const { id, fresh, intent } = begun;
    const keep = function* (keys: readonly StoreKey[]): Generator<Request, boolean, unknown> {
      const claim = { ...noClaim, fresh: keys };
      const facts = { id, claim, at: clock() };
      const held = yield* change(store, (now) =>
        now === undefined ? { refused: "revoked" as const } : extendIntent(now, facts),
      );
      return !isRefusal(held);
    };
    for (const key of reused) if (!(yield* ask(() => store.objects.has(key)))) yield* put(store, key);
    for (const key of fresh) yield* put(store, key);
    const keys = [...chosen.stored.values(), ...reused, ...fresh].sort();
    const object = world.draw("releases", world.digestOf(`${hash} ${keys.join()}`));
    if (!(yield* keep([object])) && !world.variant.uncheckedCommit) continue;
    yield* put(store, object, keys);
    if (random.chance(0.05)) {
      yield* change(store, (now = planned) => abandonIntent(now, { id, at: clock(), references }));
      return;
    }
    if (yield* commit(world, store, { id, hash, object, keys, channel, by, clock, references, intent })) return;
  }
}

interface Choice {
  chosen: ReturnType<typeof chooseKeys>;
  reused: readonly StoreKey[];
  by: string;
  clock: () => number;
}

/** Each swap that is tried has an intent and keys of its own. Undefined where it is refused. */
function* begin(
  world: World,
  store: ModelStore,
  { chosen, reused, by, clock }: Choice,
): Generator<Request, { id: string; fresh: StoreKey[]; intent: Intent } | undefined, unknown> {
  const draw = () => ({ id: world.id(), fresh: chosen.missing.map((digest) => world.draw("blobs", digest)) });
  let drawn = draw();
  const begun = yield* change(store, (root = emptyRoot(storeId)) => {
    drawn = draw();
    const claim = { bases: chosen.bases, reused, fresh: drawn.fresh };
    return beginIntent(root, { id: drawn.id, purpose: "publish", claim, at: clock(), by });
  });
  if (isRefusal(begun)) return undefined;
  return { ...drawn, intent: begun.intents.get(drawn.id) as Intent };
}

interface Upload {
  id: string;
  hash: string;
  object: StoreKey;
  keys: readonly StoreKey[];
  channel: string;
  by: string;
  clock: () => number;
  references: Map<StoreKey, readonly StoreKey[]>;
  intent: Intent;
}

function* commit(
  world: World,
  store: ModelStore,
  { object, keys, by, clock, intent, references, ...facts }: Upload,
): Generator<Request, boolean, unknown> {
  const release = { object, size: 1, at: 1, by, reason: null, blobs: keys.length, bytes: 0, platforms: [] };
  for (;;) {
    const done = yield* change(store, (now) => {
      if (now === undefined) return { refused: "revoked" as const };
      const publication = { ...facts, release, keys, by, reason: null, at: clock(), references };
      if (!world.variant.uncheckedCommit) return commitPublish(now, publication);
      const bases = intent.bases.filter((each) => references.has(each));
      const intents = new Map(now.intents).set(facts.id, { ...intent, bases, keys: [...intent.keys, object] });
      return commitPublish({ ...now, intents }, publication);
    });
    if (!isRefusal(done)) return true;
    if (done.refused !== "unread") return false;
    // Somebody replaced the release of this hash meanwhile; what was replaced again is not there to be read.
    yield* readReferences(store, done.objects, references);
    for (const each of done.objects) if (!references.has(each)) references.set(each, []);
  }
}

/** Moves channels and pins about. */
export function* operator(world: World): Agent {
  const { random } = world;
  const clock = clockOf(world);
  const store = random.chance(0.8) ? world.stores.source : world.stores.target;
  const { root } = yield* readRoot(store);
  const hashes = [...(root?.releases.keys() ?? [])];
  if (hashes.length === 0) return;
  const hash = random.pick(hashes);
  const what = random.below(4);
  const facts = { at: clock(), by: "operator", reason: null };
  yield* change(store, (now) => {
    if (now === undefined) return { refused: "revoked" as const };
    if (what === 0) return pinRelease(now, { hash, ...facts });
    if (what === 1) return unpinRelease(now, { hash });
    if (what === 2) return promote(now, { from: { release: hash }, to: "stable", ...facts });
    return promote(now, { from: { channel: "canary" }, to: "stable", ...facts });
  });
}

/** One collection; `keep` of each channel. */
export function* collector(world: World, store: ModelStore, keep = 1 + world.random.below(2)): Agent {
  const clock = clockOf(world);
  const references = new Map<StoreKey, readonly StoreKey[]>();
  for (;;) {
    const plan = yield* judge(world, store, { keep, clock, references });
    if (plan === undefined) return;
    const { read, version, collection } = plan;
    if (world.variant.orphansUnnamed) for (const key of collection.orphans) yield* remove(store, key);
    const planned = alter(world, collection, clock());
    if (planned !== read && !(yield* swap(store, version, planned))) continue;
    for (const key of planned.deleting) yield* remove(store, key);
    yield* change(store, (now) =>
      now === undefined ? { refused: "revoked" as const } : clearDeleted(now, planned.deleting),
    );
    return;
  }
}

interface Judged {
  read: StoreRoot;
  version: number;
  collection: CollectionPlan;
}

/** Lists, reads the root, reads every release, judges. Undefined where there is nothing to collect, or no longer. */
function* judge(
  world: World,
  store: ModelStore,
  { keep, clock, references }: { keep: number; clock: () => number; references: Map<StoreKey, readonly StoreKey[]> },
): Generator<Request, Judged | undefined, unknown> {
  let listed = yield* list(store);
  for (;;) {
    const { root: read, version } = yield* readRoot(store);
    if (read === undefined || read.moved !== undefined) return undefined;
    yield* readReferences(store, completeObjects(read), references);
    if (world.variant.listedAfterRoot) listed = yield* list(store);
    const limits = { keep, grace, intentLimit };
    const collection = planCollection(read, { limits, references, listed, at: clock() });
    if (!isRefusal(collection)) return { read, version, collection };
    // Something that was complete a moment ago is not there: collected since, or lost.
    if ((yield* readRoot(store)).version === version) return undefined;
  }
}

/** What a variant makes of a plan. */
function alter({ variant }: World, { root, orphans }: CollectionPlan, at: number): StoreRoot {
  if (orphans.length === 0 || !variant.orphansDoomed) return root;
  const deleting = root.deleting.filter((key) => !orphans.includes(key));
  return { ...root, deleting, doomed: new Map([...root.doomed, ...orphans.map((key) => [key, at] as const)]) };
}

/** A host: never an older root than before, never a release that is retained and not whole. */
export function* host(world: World): Agent {
  let store = world.stores.source;
  let seen: SeenRoot | undefined;
  for (let i = 0; i < 4; i++) {
    const { root } = yield* readRoot(store);
    if (root === undefined) continue;
    const verdict = judgeRoot(root, seen);
    if (verdict === "older" || verdict === "another") world.damage ??= `a host was given a root that is ${verdict}`;
    seen = { store: root.store, generation: root.generation };
    if (root.moved !== undefined) {
      store = movedTo(world, root.moved.to);
      continue;
    }
    const hash = root.channels.get("stable")?.release ?? "";
    const object = root.releases.get(hash)?.object;
    if (object === undefined) continue;
    const refs = yield* ask(() => store.objects.get(object)?.refs);
    let whole = refs !== undefined;
    for (const key of refs ?? []) if (whole) whole = yield* ask(() => store.objects.has(key));
    const { root: still } = yield* readRoot(store);
    if (!whole && still?.releases.get(hash)?.object === object)
      world.damage ??= `a host found ${hash.slice(-2)} incomplete`;
  }
}
