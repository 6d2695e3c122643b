/** A signal that asks csp to end leaves what kill -9 leaves, and no leftovers besides, wherever it comes. */
import { afterAll, beforeAll } from "bun:test";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { testNeeding } from "../support/needs.ts";
import { createSlowHost, long, type SlowHost, someOf, zero } from "./slow-host.ts";
import { callsOf, changes, type Start, startSignalled } from "./slow-motion.ts";

const limit = long ? 10 * 60_000 : 120_000;
let host: SlowHost;

beforeAll(async () => {
  host = await createSlowHost();
}, limit);

afterAll(() => host?.stop());

testNeeding(
  ["strace"],
  `SIGTERM leaves what a kill leaves, cleaned up, at ${long ? "each" : "some"} of the calls that change names`,
  async () => {
    const install = host.command(["install", "--frozen-lockfile"]);
    const root = join(host.here, ".data/script-packages");
    /** What is done before each attempt, and what is then interrupted. */
    const cases: [() => Promise<unknown>, Start][] = [
      [async () => host.takeSet(1), install],
      [() => host.succeed(host.command(["install"], host.projects[1])), host.command(["rollback"])],
      [() => host.succeed(host.command(["install"], host.projects[1])), install],
      [() => host.succeed(host.command(["install"], host.projects[1])), host.command(["gc", ...zero])],
      [
        async () => rmSync(join(root, "packages/v1", oneOf(root)), { recursive: true }),
        host.command(["verify", "--repair"]),
      ],
    ];
    for (const [prepare, what] of cases) {
      host.reset();
      await prepare();
      for (const call of someOf(await callsOf(what, changes), 2)) {
        host.reset();
        await prepare();
        const { status, signal, stdout, stderr } = await startSignalled(what, call, "SIGTERM").end;
        const place = `${what.argv.slice(1, 3).join(" ")} at ${call.name} ${call.ordinal} ${call.words.join(" ")}`;
        if (status !== 0 && signal !== "SIGTERM") throw new Error(`${place} ended with ${status}: ${stdout}${stderr}`);
        const left = [
          ...readdirSync(join(root, "tmp")),
          ...readdirSync(root).filter((name) => name.startsWith(".csp-")),
        ];
        if (left.length > 0) throw new Error(`${place} left ${left.join(", ")}`);
        await host.succeed(what.argv.includes("verify") ? what : host.command(["verify", "--deep"]));
      }
    }
  },
  limit,
);

/** An instance of the package `one`. */
function oneOf(root: string): string {
  return readdirSync(join(root, "packages/v1")).find((name) => name.startsWith("one@")) ?? "";
}
