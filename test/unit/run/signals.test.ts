/** Signals that come before the script does: the run ends by them, and nothing is left. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { runScript } from "../../../src/run/start.ts";
import type { SignalSource } from "../../../src/run/supervise.ts";
import { sharedPlace } from "./fixture.ts";

const place = sharedPlace();

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s while the code is read starts no script and leaves nothing",
  async (name) => {
    const { host, hooks } = place();
    const runs = join(host.data, ".runs");
    const handlers = new Set<(signal: NodeJS.Signals) => void>();
    const signals: SignalSource = {
      on: (signal, handler) => signal === name && handlers.add(handler),
      off: (signal, handler) => signal === name && handlers.delete(handler),
    };
    let atWork = 0;
    const result = await runScript({
      runtime: "bun",
      runtimePath: "/nonexistent",
      tree: host.tree,
      source: { kind: "stdin" },
      args: [],
      cwd: host.scripts,
      env: {},
      dropEnv: [],
      scratchIn: [runs],
      inheritFds: [],
      signals,
      readStdin() {
        atWork = readdirSync(runs).length;
        for (const handler of handlers) handler(name);
        return new Promise(() => {});
      },
      terminal: false,
      hooks,
      explain: { command: [], cwd: host.root },
    });
    expect(result).toEqual({ exitCode: undefined, signal: name, timedOut: false });
    expect(atWork).toBe(1);
    expect(existsSync(runs) && readdirSync(runs)).toEqual([]);
    expect(handlers.size).toBe(0);
  },
);
