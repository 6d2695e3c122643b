/**
 * Ten hosts at once, half of them watching, in step with a store that is published to in quick succession and collected all the
 * while. Scripts run on all of them. In the end everybody is on the last release, and whole.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHost, type Host, until, watch } from "./hosts.ts";
import { client } from "./places.ts";
import { expectTidy, hashOf, rootOf } from "./roles.ts";
import { type Serving, startServing } from "./serving.ts";
import { createWorld, type World } from "./world.ts";

const long = process.env.CSP_TEST_LONG === "1";
const limit = long ? 5 * 60_000 : 120_000;
const rounds = long ? 6 : 1;

let world: World;
let server: Serving;
let directory: string;

beforeAll(async () => {
  world = await createWorld();
  directory = world.place();
  server = await startServing(world, directory);
}, limit);

afterAll(async () => {
  await server?.stop();
  await world?.stop();
});

/** What a sync may end with while others collect: the statuses of errors that pass by themselves. */
const mayPass = [0, 75];

test(
  "ten hosts follow a store that is published to and collected",
  async () => {
    const store = server.url;
    const publish = async (number: number): Promise<void> => {
      await world.csp(["publish", "--store", store, "-C", world.projects[number] ?? ""]);
    };
    await publish(0);
    const hosts = Array.from({ length: 10 }, () => createHost(world));
    const watchers = hosts.slice(0, 5).map((host) => ({ host, child: watch(world, host, store) }));
    const others = hosts.slice(5);
    try {
      await Promise.all(watchers.map(({ child }) => child.shows("stdout", /current is now/)));
      for (const host of others) await world.csp(["sync", "--store", store, "--data-dir", host.data]);

      let published = false;
      const counts = { syncs: 0, later: 0, runs: 0, collections: 0 };
      const syncAgain = async (host: Host): Promise<void> => {
        while (!published) {
          const { status, stderr } = await world.start(["sync", "--store", store, "--data-dir", host.data]).end;
          if (!mayPass.includes(status)) throw new Error(`a sync ended with ${status}: ${stderr}`);
          counts.syncs++;
          if (status !== 0) counts.later++;
        }
      };
      const runAgain = async (): Promise<void> => {
        for (let next = 0; !published; next++) {
          await hosts[next % hosts.length]?.runScript();
          counts.runs++;
        }
      };
      const publishAll = async (): Promise<void> => {
        try {
          for (let round = 0; round < rounds; round++) {
            for (let number = round === 0 ? 1 : 0; number < world.projects.length; number++) {
              await publish(number);
              const grace = ["--keep-releases", "1", "--blob-grace", "200ms"];
              await world.csp(["gc", "--store", store, ...grace]);
              counts.collections++;
            }
          }
        } finally {
          published = true;
        }
      };
      await Promise.all([publishAll(), runAgain(), ...others.map(syncAgain)]);

      const direct = await client(world, directory);
      const last = await hashOf(world, direct, world.projects.at(-1) ?? "");
      expect((await rootOf(direct)).channels.get("stable")?.release).toBe(last);
      for (const host of others) await world.csp(["sync", "--store", store, "--data-dir", host.data]);
      const said = (): string => watchers.map(({ child }) => child.output().stdout).join("\n---\n");
      await until(() => hosts.every((host) => host.current() === last), 20_000, said);

      for (const { child } of watchers) child.signal("SIGTERM");
      const lines = (await Promise.all(watchers.map(({ child }) => child.end))).map(({ stdout, stderr }) => {
        expect(stderr).toBe("");
        return stdout.trim().split("\n");
      });
      const switches = lines.flat().filter((line) => / current is now [0-9a-f]{12} from stable: /.test(line)).length;
      const failures = lines.flat().filter((line) => !/ current is now | the store answers again$/.test(line));
      expect(failures.filter((line) => !/ CSP_STORE_(?:UNREACHABLE|ANSWER|BUSY): /.test(line))).toEqual([]);
      for (const host of hosts) {
        await host.verify();
        await host.runScript();
      }
      await world.csp(["verify", `--store=${store}`]);
      await expectTidy(world, direct);
      console.log(JSON.stringify({ ...counts, switches, failures: failures.length }));
      expect(counts.runs).toBeGreaterThan(10);
      expect(counts.syncs).toBeGreaterThan(10);
      expect(switches).toBeGreaterThan(5);
    } finally {
      for (const { child } of watchers) child.kill();
    }
  },
  limit,
);
