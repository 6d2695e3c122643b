/**
 * A model of two stores and of a network that is as bad as it may be: requests fail, or are done although the caller was
 * told they failed, or are done any time later; whoever makes them stops for any time, or dies. Everything is drawn from a seed.
 */
import type { Digest } from "../../../src/core/integrity.ts";
import { digestOfKey, type StoreKey, storeKey } from "../../../src/core/store-key.ts";
import type { StoreRoot } from "../../../src/core/store-root.ts";
import { createRandom, type Random } from "../../support/random.ts";

/** What of the protocol is left out, to see that it is needed. */
export interface Variant {
  /** A key is the digest alone, so an object that was deleted comes back under its old key. */
  reusableKeys?: boolean;
  /** A publisher commits although its intent is gone. */
  uncheckedCommit?: boolean;
  /** What no field names is doomed for the grace, where a publisher may take it back. */
  orphansDoomed?: boolean;
  /** Orphans are deleted at once, without a swap into `deleting` before. */
  orphansUnnamed?: boolean;
  /** The collector lists after it read the root. */
  listedAfterRoot?: boolean;
}

export interface ModelObject {
  digest: Digest;
  /** What a release object refers to. */
  refs: readonly StoreKey[];
}

export interface ModelStore {
  address: string;
  root: StoreRoot | undefined;
  version: number;
  objects: Map<StoreKey, ModelObject>;
}

export interface Request {
  run: () => unknown;
  /** True for what can do harm: swaps and deletions. */
  risky?: boolean;
}
/** One command of one host; each `yield` is a request that is answered, or not. */
export type Agent = Generator<Request, void, unknown>;

export interface World {
  variant: Variant;
  random: Random;
  stores: { source: ModelStore; target: ModelStore };
  now: number;
  draw: (kind: "blobs" | "releases", digest: Digest) => StoreKey;
  id: () => string;
  digestOf: (content: string) => Digest;
  /** Releases committed, as far as their publishers know. */
  published: number;
  /** The first damage that was seen. */
  damage: string | undefined;
}

/** What a request throws whose answer did not come. */
const lost = new Error("no answer");

export function* ask<T>(run: () => T): Generator<Request, T, unknown> {
  return (yield { run }) as T;
}

/** Asks until an answer comes, as `retrying` does it: what was asked first may be done as well, and later. */
function* insist(request: Request): Generator<Request, unknown, unknown> {
  try {
    return yield request;
  } catch (error) {
    if (error !== lost) throw error;
    return yield request;
  }
}

export function* readRoot(store: ModelStore): Generator<Request, { root: StoreRoot | undefined; version: number }> {
  return yield* ask(() => ({ root: store.root, version: store.version }));
}

/** False where somebody was first, and also where the answer was lost: then it was done, or not, or will be tried in vain. */
export function* swap(store: ModelStore, expected: number, root: StoreRoot): Generator<Request, boolean, unknown> {
  const run = (): boolean => {
    if (store.version !== expected) return false;
    store.root = root;
    store.version++;
    return true;
  };
  try {
    return (yield { run, risky: true }) as boolean;
  } catch (error) {
    if (error !== lost) throw error;
    return false;
  }
}

/** A put that is told to be done was done, under a key that may be deleted since. */
export function* put(
  store: ModelStore,
  key: StoreKey,
  refs: readonly StoreKey[] = [],
): Generator<Request, void, unknown> {
  const run = (): void => {
    if (!store.objects.has(key)) store.objects.set(key, { digest: digestOfKey(key), refs });
  };
  yield* insist({ run });
}

export function* remove(store: ModelStore, key: StoreKey): Generator<Request, void, unknown> {
  yield* insist({ run: () => store.objects.delete(key), risky: true });
}

/** In two pages: keys come and go between them. */
export function* list(store: ModelStore): Generator<Request, StoreKey[], unknown> {
  const first = yield* ask(() => [...store.objects.keys()].filter((key) => key < "blobs/00003"));
  const second = yield* ask(() => [...store.objects.keys()].filter((key) => key >= "blobs/00003"));
  return [...first, ...second];
}

/**
 * Read, change, swap, until it wins; gives the new root, or why not. Like `swapRoot` of ops: every reading makes the change
 * anew, after a conflict and after an answer that did not come.
 */
export function* change<R extends { refused: string }>(
  store: ModelStore,
  next: (root: StoreRoot | undefined) => StoreRoot | R,
): Generator<Request, StoreRoot | R, unknown> {
  for (;;) {
    const { root, version } = yield* readRoot(store);
    const changed = next(root);
    if ("refused" in changed || changed === root) return changed;
    if (yield* swap(store, version, changed)) return changed;
  }
}

/** What the objects refer to; those that are not there are left out. `known` remembers. */
export function* readReferences(
  store: ModelStore,
  objects: Iterable<StoreKey>,
  known: Map<StoreKey, readonly StoreKey[]>,
): Generator<Request, void, unknown> {
  for (const object of objects) {
    if (known.has(object)) continue;
    const refs = yield* ask(() => store.objects.get(object)?.refs);
    if (refs !== undefined) known.set(object, refs);
  }
}

export function createWorld(seed: number, variant: Variant): World {
  let serial = 0;
  const digests = new Map<string, Digest>();
  // What differs comes first, which makes comparing quick.
  const number = (value: number, length: number): string => value.toString(16).padStart(5, "0").padEnd(length, "0");
  const store = (address: string): ModelStore => ({ address, root: undefined, version: 0, objects: new Map() });
  return {
    variant,
    random: createRandom(seed),
    stores: { source: store("source"), target: store("target") },
    now: 1_000_000,
    draw: (kind, digest) => storeKey({ kind, digest, nonce: number(variant.reusableKeys ? 0 : ++serial, 32) }),
    id: () => number(++serial, 32),
    digestOf(content) {
      const digest = digests.get(content) ?? number(digests.size + 1, 128);
      digests.set(content, digest);
      return digest;
    },
    published: 0,
    damage: undefined,
  };
}

/** What a retained release refers to and is not there, in any store. */
export function findLoss(world: World): string | undefined {
  for (const { address, root, objects } of Object.values(world.stores)) {
    for (const [hash, { object }] of root?.releases ?? []) {
      const release = objects.get(object);
      if (release === undefined) return `${address}: release ${hash.slice(-2)} lost its object`;
      for (const key of release.refs)
        if (!objects.has(key)) return `${address}: release ${hash.slice(-2)} lost ${short(key)}`;
    }
  }
  return undefined;
}

/** What is left although nothing retained refers to it; for stores at rest. */
export function findRest(world: World): string | undefined {
  for (const { address, root, objects } of Object.values(world.stores)) {
    if (root?.moved !== undefined) continue;
    const kept = new Set<StoreKey>();
    for (const { object } of root?.releases.values() ?? []) {
      kept.add(object);
      for (const key of objects.get(object)?.refs ?? []) kept.add(key);
    }
    const rest = [...objects.keys()].find((key) => !kept.has(key));
    if (rest !== undefined) return `${address}: ${short(rest)} is left`;
    if (root === undefined) continue;
    if (root.intents.size + root.doomed.size + root.deleting.length > 0)
      return `${address}: its root has not come to rest`;
  }
  return undefined;
}

function short(key: StoreKey): string {
  return key.replace(/0{20,}/g, "…");
}

/**
 * What happens to a request, by how often. `stops`: whoever asks stops before, for a while or for very long. `fails`: it is
 * refused, or done without an answer. `late`: it is done any time later, without an answer. `dies`: whoever asks does.
 */
type Weather = Record<"succeeds" | "stops" | "fails" | "late" | "dies", number>;

interface Running {
  agent: Agent;
  request: Request;
  again: () => Agent;
  /** Not before this step. */
  sleepsUntil: number;
}

/**
 * Lets the agents run in any order, with faults; whoever ends or dies begins anew. After `steps` those who stopped are
 * `woken`, and what is late is done.
 */
export function runAll(
  world: World,
  { agents, steps, rest }: { agents: readonly (() => Agent)[]; steps: number; rest: () => void },
): void {
  const { random } = world;
  // Drawn anew for each world: some harm needs calm for all but one.
  const weather: Weather = {
    succeeds: 85,
    stops: random.below(5),
    fails: random.below(8),
    late: random.below(5),
    dies: random.below(3),
  };
  const running: Running[] = [];
  const late: { request: Request; at: number }[] = [];
  const run = (request: Request): unknown => {
    const answer = request.run();
    if (request.risky) world.damage ??= findLoss(world);
    return answer;
  };
  const start = (again: () => Agent, step: number): void => {
    const agent = again();
    const { value: request, done } = agent.next();
    if (!done) running.push({ agent, request, again, sleepsUntil: step });
  };
  const resume = (one: Running, answer: { value: unknown } | undefined): boolean => {
    try {
      const { agent } = one;
      const result = answer === undefined ? agent.throw(lost) : agent.next(answer.value);
      if (result.done) return false;
      one.request = result.value;
      return true;
    } catch (error) {
      if (error !== lost) throw error;
      return false;
    }
  };

  for (const again of agents) start(again, random.below(20));
  for (let step = 0; step < steps && world.damage === undefined; step++) {
    world.now += random.below(3);
    for (let i = late.length - 1; i >= 0; i--)
      if ((late[i]?.at ?? 0) <= step) for (const { request } of late.splice(i, 1)) run(request);
    let one = random.pick(running);
    for (let looks = 0; looks < 3 && one.sleepsUntil > step; looks++) one = random.pick(running);
    if (one.sleepsUntil > step) continue;
    const { request } = one;
    const luck = random.weighted(weather);
    let goesOn = true;
    if (luck === "succeeds") goesOn = resume(one, { value: run(request) });
    else if (luck === "stops") {
      one.sleepsUntil = step + random.below(random.chance(0.5) ? 60 : steps);
      // The others' work goes on without one for whoever stops.
      start(one.again, step);
    } else if (luck === "fails") {
      if (random.chance(0.7)) run(request);
      goesOn = resume(one, undefined);
    } else if (luck === "late") {
      late.push({ request, at: step + random.below(random.chance(0.5) ? 100 : steps) });
      goesOn = resume(one, undefined);
    } else {
      if (random.chance(0.3)) late.push({ request, at: step + random.below(steps) });
      goesOn = false;
    }
    if (goesOn) continue;
    running.splice(running.indexOf(one), 1);
    start(one.again, step + random.below(20));
  }

  // Long after, when they were taken for dead: those who had stopped go on, and what was late is done.
  rest();
  while (running.length > 0 && world.damage === undefined) {
    const [one] = running.splice(random.below(running.length), 1);
    if (one === undefined || random.chance(0.3)) continue;
    while (world.damage === undefined && resume(one, { value: run(one.request) }));
    if (random.chance(0.3)) rest();
  }
  for (const { request } of late) if (world.damage === undefined) run(request);
  world.damage ??= findLoss(world);
}

/** Lets one agent run to its end without faults. */
export function runAlone(world: World, agent: Agent): void {
  for (let result = agent.next(); !result.done && world.damage === undefined; ) {
    const answer = result.value.run();
    if (result.value.risky) world.damage ??= findLoss(world);
    result = agent.next(answer);
  }
}
