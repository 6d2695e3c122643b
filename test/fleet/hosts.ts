/** Hosts of a fleet as real commands: some watch a channel, some are synced again and again, and all run scripts. */
import { mkdirSync, readlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Child } from "../support/script/child.ts";
import type { World } from "./world.ts";

export interface Host {
  /** Its data directory. */
  data: string;
  /** The lockfile hash that is current; undefined before the first sync. */
  current(): string | undefined;
  /** Runs a script that reads all packages, some of them late. Throws where they are not of one version. */
  runScript(): Promise<void>;
  /** Throws where anything is damaged. */
  verify(): Promise<void>;
}

/** Says of which version each package is, the last one read late, and what the packages mean by one another. */
const script = `import "core";
import { number, tock } from "tick";
await new Promise((done) => setTimeout(done, 30));
const { number: late } = await import("tick/late.js");
console.log(JSON.stringify({ number, tock, late }));
`;

export function createHost(world: World): Host {
  const data = world.place();
  mkdirSync(data);
  const path = join(data, "script.ts");
  writeFileSync(path, script);
  return {
    data,
    current: () => currentOf(data),
    async runScript() {
      const said = await world.csp(["run", "--data-dir", data, path]);
      const { number, tock, late } = JSON.parse(said);
      if (number === undefined || number !== tock || number !== late)
        throw new Error(`a script read more than one tree: ${said}`);
    },
    async verify() {
      await world.csp(["verify", "--deep", "--data-dir", data]);
    },
  };
}

function currentOf(data: string): string | undefined {
  try {
    return basename(readlinkSync(join(data, "script-packages/current")));
  } catch {
    return undefined;
  }
}

/** `csp sync --watch` on a host. */
export function watch(world: World, host: Host, store: string, more: readonly string[] = []): Child {
  const often = ["--interval", "2s", "--jitter", "0s"];
  return world.start(["sync", "--watch", ...often, "--store", store, "--data-dir", host.data, ...more]);
}

/** Looks until it is so. Throws with what `otherwise` says after so many milliseconds. */
export async function until(what: () => boolean, ms: number, otherwise: () => string): Promise<void> {
  for (const end = performance.now() + ms; !what(); await Bun.sleep(5)) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${otherwise()}`);
  }
}
