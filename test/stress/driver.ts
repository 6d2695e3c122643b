/**
 * A process of the crowd: does one operation after the other as it is told, with csp's own code, its locks, leases and
 * child processes, so that thousands of them do not cost a start of csp each. It lives to be killed.
 */
import { join } from "node:path";
import { isCspError } from "../../src/core/errors.ts";
import { detectPlatform } from "../../src/fs/host-platform.ts";
import type { Context } from "../../src/ops/context.ts";
import { applyGc } from "../../src/ops/gc/apply.ts";
import { underInstallLock } from "../../src/ops/host-locks.ts";
import { applyInstall, planInstall, readProject } from "../../src/ops/install.ts";
import { returnToKnownTree } from "../../src/ops/return.ts";
import { applyRollback } from "../../src/ops/rollback.ts";
import { runOnCurrent } from "../../src/ops/run.ts";
import { findKnownTree } from "../../src/ops/up-to-date.ts";
import { applyUse } from "../../src/ops/use.ts";

/** What a driver can be told. */
export type Operation =
  | { kind: "install"; project: string }
  | { kind: "use"; hash: string }
  | { kind: "rollback" }
  | { kind: "gc"; keep: number }
  | { kind: "run"; args: string[] };

export type Order = Operation & { id: number };

/** What it answers. */
export interface Answer {
  id: number;
  code: string | undefined;
  text: string;
  /** How many trees a collection took; 1 for a switch. */
  effect: number;
}

/** Where a driver works, as its one argument in JSON. */
export interface DriverPlace {
  socket: string;
  name: string;
  dataRoot: string;
  project: string;
  script: string;
}

if (import.meta.main) await work(JSON.parse(process.argv[2] ?? "{}") as DriverPlace);

async function work(place: DriverPlace): Promise<void> {
  process.umask(0o022);
  let rest = "";
  const socket = await Bun.connect({
    unix: place.socket,
    socket: {
      data(_, bytes) {
        const lines = (rest + bytes.toString("utf8")).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) void answer(JSON.parse(line) as Order);
      },
      close: () => process.exit(0),
    },
  });
  socket.write(`driver ${place.name}\n`);

  async function answer(order: Order): Promise<void> {
    const said: Answer = { id: order.id, code: undefined, text: "", effect: 0 };
    try {
      said.effect = await obey(place, order);
    } catch (error) {
      said.code = isCspError(error) ? error.code : "unknown";
      said.text = isCspError(error) ? error.message : String(error instanceof Error ? error.stack : error);
    }
    socket.write(`answer ${JSON.stringify(said)}\n`);
  }
}

async function obey(place: DriverPlace, order: Operation): Promise<number> {
  switch (order.kind) {
    case "install":
      return install(contextOf(place, "csp install", order.project));
    case "use":
      return Number((await applyUse(contextOf(place, "csp use"), order.hash, undefined)).switched);
    case "rollback":
      return Number((await applyRollback(contextOf(place, "csp rollback"), {}, undefined)).switched);
    case "gc":
      return collect(contextOf(place, "csp gc"), order.keep);
    case "run":
      return run(contextOf(place, "csp run"), place.script, order.args);
  }
}

/** As the command does it. */
function install(ctx: Context): Promise<number> {
  if (findKnownTree(ctx)?.isCurrent) return Promise.resolve(0);
  return underInstallLock(ctx, async () => {
    const done = findKnownTree(ctx) && (await returnToKnownTree(ctx, undefined));
    if (done) return Number(!done.isCurrent);
    const plan = await planInstall(ctx, readProject(ctx, { frozen: true }));
    return Number((await applyInstall(ctx, plan, { reason: undefined })).switched);
  });
}

async function collect(ctx: Context, keepPrevious: number): Promise<number> {
  const limits = { keepPrevious, treeGrace: 0, blobGrace: 0 };
  const what = { trees: true, blobs: true, leftovers: true, maxSize: undefined, explain: false };
  const { plan, failed } = await applyGc(ctx, { ...what, limits });
  const [first] = failed;
  if (first !== undefined) throw new Error(`gc could not remove ${first.name}: ${first.error.message}`);
  return plan.trees.length;
}

async function run(ctx: Context, script: string, args: readonly string[]): Promise<number> {
  const { exitCode, signal } = await runOnCurrent(ctx, {
    runtime: "bun",
    runtimePath: process.execPath,
    what: { kind: "file", path: script },
    args,
    cwd: ctx.project.directory,
    timeoutMs: undefined,
    terminal: false,
    signals: process,
    readStdin: () => Promise.resolve(""),
    explain: ["true"],
  });
  if (exitCode !== 0) throw new Error(`the script ended with ${exitCode ?? signal}`);
  return 0;
}

function contextOf(place: DriverPlace, command: string, directory = place.project): Context {
  return {
    project: {
      directory,
      allowlist: join(directory, "script-packages.yaml"),
      lockfile: join(directory, "script-packages.lock"),
    },
    dataRoot: place.dataRoot,
    platform: detectPlatform(),
    bun: process.execPath,
    version: "0.0.0-crowd",
    cores: 2,
    env: process.env,
    home: undefined,
    temporary: place.project,
    who: "crowd@test",
    command,
    offline: false,
    trustProject: false,
    cwd: "/",
    stores: [],
    channel: undefined,
    resolveTimeoutMs: 60_000,
    lockTimeoutMs: 60_000,
    now: Date.now,
    signal: new AbortController().signal,
    progress: () => {},
    warn: () => {},
    waiting: () => {},
  };
}
