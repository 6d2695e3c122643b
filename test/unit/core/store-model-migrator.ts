/** A migration of the model's source into its target, request by request as ops does it. */
import { digestOfKey, type StoreKey } from "../../../src/core/store-key.ts";
import {
  abandonIntent,
  beginIntent,
  type Claim,
  completeObjects,
  emptyRoot,
  extendIntent,
  isRefusal,
  type Refusal,
} from "../../../src/core/store-protocol.ts";
import { chooseKeys } from "../../../src/core/store-protocol-keys.ts";
import {
  type Copy,
  commitMigration,
  isSameContent,
  type MigrationRefusal,
  markMoved,
  settleCopy,
} from "../../../src/core/store-protocol-migrate.ts";
import type { StoreRoot } from "../../../src/core/store-root.ts";
import { type Agent, ask, change, put, type Request, readReferences, readRoot, type World } from "./store-model.ts";
import { clockOf, noClaim } from "./store-model-agents.ts";

/** What stays the same over one migration. */
interface Migration {
  world: World;
  id: string;
  clock: () => number;
  from: Map<StoreKey, readonly StoreKey[]>;
  into: Map<StoreKey, readonly StoreKey[]>;
}

const revoked = { refused: "revoked" } as const;

export function* migrator(world: World): Agent {
  const { source, target } = world.stores;
  const clock = clockOf(world);
  const id = world.id();
  const migration: Migration = { world, id, clock, from: new Map(), into: new Map() };
  const copies = new Map<string, Copy & { of: StoreKey }>();
  for (let round = 0; round < 8; round++) {
    const root = yield* holdSource(migration);
    if (root === undefined || (root.moved !== undefined && root.moved.to !== target.address)) return;
    const anew = yield* holdTarget(migration, root);
    if (anew === undefined) return;
    if (anew) copies.clear();
    const copied = yield* copyAll(migration, root, copies);
    if (!copied) {
      copies.clear();
      continue;
    }
    const committed = yield* commit(migration, root, copies);
    if (isRefused(committed)) {
      if (committed.refused !== "revoked") return;
      copies.clear();
      continue;
    }
    const { generation } = committed;
    const facts = { id, copied: root, generation, to: target.address, by: "migrator" };
    const marked = yield* change<MigrationRefusal>(source, (now) =>
      now === undefined ? revoked : markMoved(now, { ...facts, at: clock() }),
    );
    if (isRefused(marked)) {
      if (marked.refused !== "changed" && marked.refused !== "behind") return;
      continue;
    }
    yield* change(target, (now) =>
      now === undefined ? revoked : abandonIntent(now, { id, at: clock(), references: migration.into }),
    );
    return;
  }
}

/** Reads the source's root and keeps all its releases from collections. */
function* holdSource({ world, id, clock, from }: Migration): Generator<Request, StoreRoot | undefined, unknown> {
  const { source } = world.stores;
  for (;;) {
    const { root } = yield* readRoot(source);
    if (root === undefined || root.moved !== undefined) return root;
    const bases = objectsOf(root);
    yield* readReferences(source, bases, from);
    const held = yield* change<Refusal>(source, (now) => {
      if (now === undefined) return revoked;
      const claim = { ...noClaim, bases };
      const facts = { id, claim, at: clock() };
      return now.intents.has(id)
        ? extendIntent(now, facts)
        : beginIntent(now, { ...facts, purpose: "migrate", by: "migrator" });
    });
    if (isRefusal(held)) {
      if (held.refused === "gone") continue;
      return undefined;
    }
    if (isSameContent(held, root) && bases.every((each) => from.has(each))) return held;
  }
}

function objectsOf({ releases }: StoreRoot): StoreKey[] {
  return [...releases.values()].map(({ object }) => object);
}

/** Has an intent in the target; true where that is a new one. Undefined where there can be none. */
function* holdTarget(
  { world, id, clock }: Migration,
  root: StoreRoot,
): Generator<Request, boolean | undefined, unknown> {
  let anew = false;
  const held = yield* change(world.stores.target, (now = emptyRoot(root.store)) => {
    if (now.intents.has(id)) return now;
    anew = true;
    return beginIntent(now, { id, purpose: "migrate", claim: noClaim, at: clock(), by: "migrator" });
  });
  return isRefusal(held) ? undefined : anew;
}

/** False where the intent was revoked. */
function* copyAll(
  migration: Migration,
  root: StoreRoot,
  copies: Map<string, Copy & { of: StoreKey }>,
): Generator<Request, boolean, unknown> {
  for (const [hash, { object }] of root.releases) {
    if (copies.get(hash)?.of === object) continue;
    const copy = yield* copyRelease(migration, hash, migration.from.get(object) ?? []);
    if (copy === undefined) return false;
    copies.set(hash, { ...copy, of: object });
  }
  return true;
}

/** Copies one release under new keys, but for those that the target has. */
function* copyRelease(
  { world, id, clock, into }: Migration,
  hash: string,
  refs: readonly StoreKey[],
): Generator<Request, Copy | undefined, unknown> {
  const { source, target } = world.stores;
  const extend = (claim: Claim) =>
    change(target, (now) => (now === undefined ? revoked : extendIntent(now, { id, claim, at: clock() })));
  const wanted = refs.map(digestOfKey);
  for (let attempt = 0; attempt < 10; attempt++) {
    const { root } = yield* readRoot(target);
    if (root === undefined) return undefined;
    const complete = completeObjects(root);
    yield* readReferences(target, complete, into);
    const chosen = chooseKeys(root, { wanted, references: into, prefer: complete });
    const fresh = chosen.missing.map((digest) => world.draw("blobs", digest));
    const reused = [...chosen.reused.values()];
    const held = yield* extend({ bases: chosen.bases, reused, fresh });
    if (isRefusal(held)) {
      if (held.refused === "gone") continue;
      return undefined;
    }
    for (const key of refs) if (!(yield* ask(() => source.objects.has(key)))) return undefined;
    for (const key of reused) if (!(yield* ask(() => target.objects.has(key)))) yield* put(target, key);
    for (const key of fresh) yield* put(target, key);
    const keys = [...chosen.stored.values(), ...reused, ...fresh].sort();
    const digest = world.digestOf(`${hash} ${keys.join()}`);
    const settled = complete.find((key) => digestOfKey(key) === digest);
    const object = settled ?? world.draw("releases", digest);
    if (settled === undefined) {
      if (isRefusal(yield* extend({ ...noClaim, fresh: [object] }))) return undefined;
      yield* put(target, object, keys);
    }
    into.set(object, keys);
    const copy = { object, size: 1, keys };
    const done = yield* change(target, (now) =>
      now === undefined ? revoked : settleCopy(now, { id, copy, references: into }),
    );
    return isRefusal(done) ? undefined : copy;
  }
  return undefined;
}

function* commit(
  { world, id, clock, into }: Migration,
  source: StoreRoot,
  copies: ReadonlyMap<string, Copy>,
): Generator<Request, StoreRoot | MigrationRefusal, unknown> {
  const { target } = world.stores;
  for (;;) {
    const { root, version } = yield* readRoot(target);
    if (root === undefined) return revoked;
    yield* readReferences(target, completeObjects(root), into);
    const committed = yield* change<MigrationRefusal>(target, (now) =>
      now === undefined ? revoked : commitMigration(now, { id, source, copies, references: into, at: clock() }),
    );
    if (!isRefused(committed) || committed.refused !== "unread") return committed;
    if ((yield* readRoot(target)).version === version) return committed;
  }
}

function isRefused(outcome: StoreRoot | MigrationRefusal): outcome is MigrationRefusal {
  return "refused" in outcome;
}
