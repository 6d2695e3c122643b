/**
 * Real commands, stopped or killed at each of their requests to a store, while others publish, collect and sync. The same with
 * one step of the protocol taken away must show that this test would see it. CSP_TEST_LONG=1 takes every request.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { testNeeding } from "../support/needs.ts";
import { chooseSeed, createRandom } from "../support/random.ts";
import { hasCeph } from "../support/servers/ceph.ts";
import { hasRegistry } from "../support/servers/docker-registry.ts";
import { makeContents, type StoreContents } from "./contents.ts";
import { inCeph, inPostgres, inRegistry, type Kind, served } from "./places.ts";
import { countRequests, type Subject, tryStop, type Way, ways } from "./stops.ts";
import { collector, host, importer, lonePublisher, migrator, publisher, type Stage } from "./subjects.ts";
import { createWorld, type World } from "./world.ts";

const long = process.env.CSP_TEST_LONG === "1";
const seed = chooseSeed();
const limit = long ? 10 * 60_000 : 120_000;

let world: World;
let contents: StoreContents;

beforeAll(async () => {
  world = await createWorld();
  contents = await makeContents(world);
}, limit);

afterAll(() => world?.stop());

type Make = (stage: Stage) => Subject;

interface Case {
  number: number;
  way: Way;
}

function stage(kind: Kind, salt: number): Stage {
  return { world, contents, kind, random: createRandom(seed + salt * 7919) };
}

/** So many cases by the seed, and one for each kind of request that once went wrong; or all. */
function choose(requests: readonly string[], count: number | undefined, known: readonly RegExp[]): Case[] {
  const all = requests.flatMap((_, index) => ways.map((way) => ({ number: index + 1, way })));
  if (count === undefined) return all;
  const random = createRandom(seed);
  const certain = known.flatMap((pattern) => {
    const number = requests.findIndex((each) => pattern.test(each)) + 1;
    return all.filter((each) => each.number === number && each.way.name === "sleeps before it");
  });
  return [...certain, ...Array.from({ length: count }, () => random.pick(all))];
}

/** Two at a time; says how they ended. Throws what was wrong with the first that failed. */
async function tryAll(kind: Kind, make: Make, count: number | undefined, known: readonly RegExp[] = []): Promise<void> {
  const started = performance.now();
  const requests = await countRequests(world, make(stage(kind, 0)));
  const cases = choose(requests, count, known);
  const left = cases.map((each, index) => ({ ...each, salt: index + 1 }));
  const ends: Record<string, number> = {};
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const end = (await tryStop(world, make(stage(kind, next.salt)), next.number, next.way)) ?? "not reached";
      ends[end] = (ends[end] ?? 0) + 1;
    }
  };
  await Promise.all([work(), work()]);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const told = { requests: requests.length, cases: cases.length, ...ends, seconds };
  console.log(`CSP_TEST_SEED=${seed}: ${make(stage(kind, 0)).name} on ${kind.name}: ${JSON.stringify(told)}`);
  // Requests vary in number; most are reached, or the numbers mean nothing.
  expect(ends["not reached"] ?? 0).toBeLessThan(cases.length / 4 + 1);
}

const each = long ? undefined : 10;
const some = 16;
const word = long ? "each" : "some";

const subjects: readonly [string, Make, readonly RegExp[]][] = [
  ["csp publish", publisher, [/^PUT \/releases/]],
  ["csp bundle import", importer, [/^PUT \/releases/]],
  ["csp gc --store", collector, [/^GET \/releases/]],
  ["csp sync", host, [/^GET \/releases/]],
  ["csp migrate", migrator, [/^GET \/releases/, /^PUT \/blobs/, /^PUT \/releases/]],
];

for (const [name, make, known] of subjects) {
  test(
    `${name}, stopped or killed at ${word} of its requests, loses nothing and leaves nothing`,
    () => tryAll(served(world), make, each, known),
    limit,
  );
}

if (long) {
  (hasCeph() ? test : test.skip)(
    hasCeph() ? "the same in Ceph" : "the same in Ceph (needs ceph)",
    async () => {
      const kind = await inCeph(world);
      for (const [, make] of subjects) await tryAll(kind, make, some);
    },
    limit,
  );

  (hasRegistry() ? test : test.skip)(
    hasRegistry()
      ? "a lone publisher to an OCI registry"
      : "a lone publisher to an OCI registry (needs docker-registry)",
    async () => {
      const kind = await inRegistry(world);
      try {
        await tryAll(kind, lonePublisher, some);
      } finally {
        await kind.stop();
      }
    },
    limit,
  );

  testNeeding(
    ["postgres"],
    "the same in Postgres",
    async () => {
      const kind = await inPostgres(world);
      try {
        for (const [, make] of subjects) await tryAll(kind, make, some);
      } finally {
        await kind.stop();
      }
    },
    limit,
  );
}

/** Tries cases at such requests, the last ones first, until one goes wrong. */
async function expectHarm(csp: string, make: Make, pattern: RegExp, harm: RegExp): Promise<void> {
  const kind = served(world);
  const requests = await countRequests(world, make(stage(kind, 0)));
  const numbers = requests.flatMap((request, index) => (pattern.test(request) ? [index + 1] : []));
  const seen: string[] = [];
  for (let salt = 1; salt <= 4; salt++) {
    for (const number of numbers.toReversed()) {
      for (const way of ways.filter(({ wakes }) => wakes)) {
        try {
          await tryStop(world, make(stage(kind, salt)), number, way, csp);
        } catch (error) {
          seen.push(String(error));
          if (harm.test(seen.at(-1) ?? "")) return;
        }
      }
    }
  }
  throw new Error(`nothing went wrong as expected, only: ${seen.join("\n")}`);
}

test(
  "a publisher that does not look whether its intent still stands is seen",
  async () => {
    const csp = world.build([
      {
        file: "src/core/store-protocol.ts",
        from: `  const intent = root.intents.get(id);
  const before`,
        to: `  const intent: Intent = root.intents.get(id) ?? {
    purpose: "publish", bases: [], keys: [release.object, ...facts.keys], at: 0, by: "",
  };
  const before`,
      },
    ]);
    await expectHarm(csp, publisher, /^(?:GET|PUT) \/root/, /missing/);
  },
  limit,
);

test(
  "a collector that deletes though its plan was overtaken is seen",
  async () => {
    const csp = world.build([
      {
        file: "src/ops/store-gc.ts",
        from: "if ((await store.root.swap(version, formatStoreRoot(collection.root))) !== undefined) return planned;",
        to: "await store.root.swap(version, formatStoreRoot(collection.root)); if (attempts > 0) return planned;",
      },
    ]);
    await expectHarm(csp, collector, /^GET \/root|^PUT \/root/, /missing/);
  },
  limit,
);

test(
  "a migration that ends without looking for what was published meanwhile is seen",
  async () => {
    const csp = world.build([
      {
        file: "src/core/store-protocol-migrate.ts",
        from: `if (!isSameContent(source, copied)) return { refused: "changed" };`,
        to: "",
      },
    ]);
    await expectHarm(csp, migrator, /^(?:GET|PUT) \/root/, /channels are others|points at/);
  },
  limit,
);

test(
  "a host that gives up where a collection was faster is seen",
  async () => {
    const csp = world.build([{ file: "src/ops/sync.ts", from: "if (attempt > 2 ||", to: "if (attempt > 0 ||" }]);
    await expectHarm(csp, host, /^GET \/releases/, /CSP_STORE_MISSING/);
  },
  limit,
);
