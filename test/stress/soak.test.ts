/** A host that lives through whatever commands come, in whatever order, killed or not, and through damage. */
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chooseSeed, createRandom } from "../support/random.ts";
import { soak } from "./soak.ts";
import { createWorld, csp } from "./world.ts";

const long = process.env.CSP_TEST_LONG === "1";
const seconds = Number(process.env.CSP_TEST_SOAK_SECONDS ?? (long ? 180 : 8));

test(
  `random commands, ${long ? "minutes" : "seconds"} of them`,
  async () => {
    const seed = chooseSeed();
    const world = await createWorld();
    try {
      const build = await world.build();
      for (const project of world.projects) await csp(world, build, ["lock", "-C", project]);
      const own = join(world.directory, "own");
      mkdirSync(own);
      const registry = /registry:\n.*\n/.exec(
        readFileSync(join(world.projects[0] ?? "", "script-packages.yaml"), "utf8"),
      );
      writeFileSync(join(own, "script-packages.yaml"), `packages:\n  one: 1.0.0\n${registry?.[0]}`);
      const until = performance.now() + seconds * 1000;
      const result = await soak(world, build, own, createRandom(seed), until).catch((error: Error) => {
        throw new Error(`CSP_TEST_SEED=${seed}: ${error.message}`);
      });
      console.log(`CSP_TEST_SEED=${seed}: ${JSON.stringify(result)}`);
      expect(result.steps).toBeGreaterThan(seconds);
    } finally {
      await world.stop();
    }
  },
  seconds * 1000 + 120_000,
);
