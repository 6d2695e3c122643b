/** The commands that are stopped, each with what it finds, who comes by, and what must have become of it. */
import type { StoreRoot } from "../../src/core/store-root.ts";
import { applyImport } from "../../src/ops/bundle-import.ts";
import { applyMigration } from "../../src/ops/migrate.ts";
import type { Store } from "../../src/store/store.ts";
import type { Random } from "../support/random.ts";
import type { Outcome } from "../support/script/child.ts";
import type { StoreContents } from "./contents.ts";
import { client, type Kind } from "./places.ts";
import {
  collect,
  expectSound,
  expectTidy,
  expectWholeHost,
  hashOf,
  publish,
  refused,
  rootOf,
  syncHost,
} from "./roles.ts";
import type { Attempt, Subject } from "./stops.ts";
import type { World } from "./world.ts";

/** Where subjects act. */
export interface Stage {
  world: World;
  contents: StoreContents;
  kind: Kind;
  random: Random;
}

const collectAll = ["--keep-releases", "1", "--blob-grace", "0s", "--abandoned-after"];
const hour = 3_600_000;

/** Publishes what is partly in a release, partly doomed and partly new. Somebody else publishes nearly the same. */
export function publisher({ world, contents, kind, random }: Stage): Subject {
  return {
    name: "csp publish",
    async prepare(gate) {
      const place = await kind.place(gate, contents.doomed);
      const { store } = place;
      const hash = await hashOf(world, store, world.more);
      const patience = random.pick([0, 0, hour]);
      let published: string | undefined;
      const look = (when: string): Promise<void> => expectSound(world, store, when);
      return {
        args: ["publish", "--store", place.address, "-C", world.more],
        async others() {
          const publishes = async (): Promise<void> => {
            published = (await publish(world, store, world.other, "canary")).plan.hash;
          };
          const collects = (): Promise<void> => collect(world, store, patience);
          await inOrder(
            random.pick([
              [publishes, collects],
              [collects, publishes],
              [collects, publishes, collects],
            ]),
          );
          await syncHost(world, store, world.place(), "canary");
        },
        look,
        async judge({ status, stderr }) {
          if (status !== 0) return expectCode(stderr, status, "CSP_PUBLISH_REVOKED");
          await expectChannel(store, "stable", hash);
        },
        async finish() {
          await publish(world, store, world.more);
          const again = await publish(world, store, world.more);
          if (again.plan.step !== "nothing") throw new Error(`publishing once more does ${again.plan.step}`);
          await expectChannel(store, "stable", hash);
          if (published !== undefined) await expectChannel(store, "canary", published);
          await syncHost(world, store, world.place());
          await expectTidy(world, store);
          await look("after all");
          await syncHost(world, store, world.place());
        },
        stop: () => place.stop(),
      };
    },
  };
}

/** Publishes twice where one writer is all that is allowed: nobody comes by but a host. */
export function lonePublisher({ world, kind }: Stage): Subject {
  return {
    name: "csp publish, alone",
    async prepare(gate) {
      const place = await kind.place(gate, undefined);
      const { store } = place;
      await publish(world, store, world.projects[1] ?? "");
      const hash = await hashOf(world, store, world.more);
      const look = (when: string): Promise<void> => expectSound(world, store, when);
      return {
        args: ["publish", "--store", place.address, "-C", world.more],
        others: async () => void (await syncHost(world, store, world.place())),
        look,
        async judge(outcome) {
          await expectSuccess(outcome);
          await expectChannel(store, "stable", hash);
        },
        async finish() {
          await publish(world, store, world.more);
          const again = await publish(world, store, world.more);
          if (again.plan.step !== "nothing") throw new Error(`publishing once more does ${again.plan.step}`);
          await expectChannel(store, "stable", hash);
          await look("after all");
          await syncHost(world, store, world.place());
        },
        stop: () => place.stop(),
      };
    },
  };
}

/** Imports what is partly in a release, partly doomed and partly new. Somebody publishes nearly the same. */
export function importer({ world, contents, kind, random }: Stage): Subject {
  return {
    name: "csp bundle import",
    async prepare(gate) {
      const place = await kind.place(gate, contents.doomed);
      const { store } = place;
      const hash = await hashOf(world, store, world.more);
      const patience = random.pick([0, 0, hour]);
      const look = (when: string): Promise<void> => expectSound(world, store, when);
      return {
        args: ["bundle", "import", contents.bundle, "--store", place.address],
        async others() {
          await publish(world, store, world.other, "canary");
          await collect(world, store, patience);
        },
        look,
        async judge({ status, stderr }) {
          if (status !== 0) return expectCode(stderr, status, "CSP_PUBLISH_REVOKED");
          await expectChannel(store, "edge", hash);
        },
        async finish() {
          const bundle = await client(world, `bundle:${contents.bundle}`);
          const options = { concurrency: 4, allowOlder: false };
          await applyImport(world.context(world.more), bundle, store, options);
          const { copied } = await applyImport(world.context(world.more), bundle, store, options);
          await bundle.close();
          if (copied > 0) throw new Error(`importing once more copies ${copied} blobs`);
          await expectChannel(store, "edge", hash);
          await expectTidy(world, store);
          await look("after all");
          await syncHost(world, store, world.place(), "edge");
        },
        stop: () => place.stop(),
      };
    },
  };
}

/** Collects a store with litter in it. Meanwhile what it collects is published again. */
export function collector({ world, contents, kind, random }: Stage): Subject {
  return {
    name: "csp gc --store",
    async prepare(gate) {
      const place = await kind.place(gate, contents.littered);
      const { store } = place;
      const look = (when: string): Promise<void> => expectSound(world, store, when);
      const heads = new Map<string, string>();
      const publishes = (project: string, channel: string) => async (): Promise<void> => {
        heads.set(channel, (await publish(world, store, project, channel)).plan.hash);
      };
      return {
        args: ["gc", "--store", place.address, ...collectAll, "0s"],
        async others() {
          const [back, canary] = [publishes(world.projects[0] ?? "", "stable"), publishes(world.other, "canary")];
          const collects = (): Promise<void> => collect(world, store);
          await inOrder(
            random.pick([
              [back, canary],
              [collects, back, canary],
              [canary, collects, back],
              [back, collects, canary, collects],
            ]),
          );
          await syncHost(world, store, world.place());
        },
        look,
        judge: expectSuccess,
        async finish() {
          for (const [channel, hash] of heads) await expectChannel(store, channel, hash);
          await expectTidy(world, store);
          await look("after all");
          await syncHost(world, store, world.place());
        },
        stop: () => place.stop(),
      };
    },
  };
}

/** Syncs a host to a release that is replaced and collected meanwhile. */
export function host({ world, contents, kind }: Stage): Subject {
  return {
    name: "csp sync",
    async prepare(gate) {
      const place = await kind.place(gate, contents.three);
      const { store } = place;
      const data = world.place();
      return {
        args: ["sync", "--store", place.address, "--data-dir", data],
        async others() {
          await publish(world, store, world.projects[3] ?? "");
          await collect(world, store);
          await collect(world, store);
        },
        look: (when) => expectSound(world, store, when),
        async judge(outcome) {
          await expectSuccess(outcome);
          await expectWholeHost(world, data);
        },
        async finish() {
          await syncHost(world, store, data);
          const again = await syncHost(world, store, data);
          if (again.plan.step !== "nothing") throw new Error(`syncing once more does ${again.plan.step}`);
          await expectChannel(store, "stable", again.plan.target.hash);
        },
        stop: () => place.stop(),
      };
    },
  };
}

/** Moves a store that is published to and collected, into a place that is collected, too. */
export function migrator({ world, contents, kind, random }: Stage): Subject {
  return {
    name: "csp migrate",
    async prepare(gate) {
      const from = await kind.place(gate, contents.three);
      const to = await kind.place(gate, undefined);
      const patience = random.pick([0, hour]);
      let published: string | undefined;
      const look = async (when: string): Promise<void> => {
        for (const { store } of [from, to]) await expectSound(world, store, when);
      };
      const attempt: Attempt = {
        args: ["migrate", to.address, "--from", from.address, "-C", world.more],
        async others() {
          // Both may come after the end of the source.
          await refused(
            publish(world, from.store, world.other, "canary").then(({ plan }) => {
              published = plan.hash;
            }),
            "CSP_STORE_MOVED",
          );
          await refused(collect(world, from.store, patience), "CSP_STORE_MOVED");
          await collect(world, to.store, patience);
          await syncHost(world, from.store, world.place());
        },
        look,
        async judge({ status, stderr }) {
          if (status !== 0) return expectCode(stderr, status, "CSP_PUBLISH_REVOKED");
          await expectMoved(from.store, to.store, to.address);
        },
        async finish() {
          const options = { concurrency: 4, to: to.address };
          const context = world.context(world.more);
          await applyMigration(context, from.store, to.store, options);
          const { copied } = await applyMigration(context, from.store, to.store, options);
          if (copied > 0) throw new Error(`migrating once more copies ${copied} blobs`);
          await expectMoved(from.store, to.store, to.address);
          await look("after all");
          if (published !== undefined) await expectChannel(to.store, "canary", published);
          await refused(expectNever(publish(world, from.store, world.more)), "CSP_STORE_MOVED");
          await syncHost(world, from.store, world.place());
          await publish(world, to.store, world.more);
          await expectTidy(world, to.store);
          await look("after collections");
          await syncHost(world, to.store, world.place());
        },
        async stop() {
          await from.stop();
          await to.stop();
        },
      };
      return attempt;
    },
  };
}

async function inOrder(steps: readonly (() => Promise<void>)[]): Promise<void> {
  for (const step of steps) await step();
}

async function expectSuccess({ status, stderr }: Outcome): Promise<void> {
  if (status !== 0) throw new Error(`it ended with ${status}: ${stderr}`);
}

async function expectCode(stderr: string, status: number, code: string): Promise<void> {
  if (!stderr.includes(`error[${code}]: `)) throw new Error(`it ended with ${status}: ${stderr}`);
}

async function expectChannel(store: Store, name: string, hash: string): Promise<void> {
  const { channels } = await rootOf(store);
  const found = channels.get(name)?.release;
  if (found !== hash) throw new Error(`${name} points at ${found}, not at ${hash}`);
}

async function expectNever(action: Promise<unknown>): Promise<void> {
  await action;
  throw new Error("a store that was moved was changed");
}

/** The source says where it went, and there is what it had. */
async function expectMoved(from: Store, to: Store, address: string): Promise<void> {
  const [source, target] = [await rootOf(from), await rootOf(to)];
  if (source.moved?.to !== address) throw new Error(`the source leads to ${source.moved?.to}, not to ${address}`);
  // The target may have been collected since; what channels point at is there all the same.
  const heads = ({ channels }: StoreRoot): object => [...channels].map(([name, { release }]) => [name, release]).sort();
  if (!Bun.deepEquals(heads(source), heads(target))) throw new Error("the target's channels are others");
  if (target.generation <= source.generation) throw new Error("the target is older than the source");
}
