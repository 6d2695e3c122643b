/**
 * `csp rollback` and `csp use` without the program around them. What does not succeed at once, a busy lock included, has
 * changed nothing and is left to the program, which says why; but after a device failed nothing is tried again.
 */
import { resolve } from "node:path";
import { deviceFailure } from "../fs/os-error.ts";
import { mayCollect } from "../ops/may-collect.ts";
import { applyRollback, type Move } from "../ops/rollback.ts";
import type { SwitchContext } from "../ops/switch.ts";
import { applyUse } from "../ops/use.ts";
import { moveLines } from "./move-lines.ts";
import { dataRoot, findProject, projectIn } from "./place.ts";
import { untilSignal } from "./quick-signals.ts";
import { whoIs } from "./who.ts";

interface Words {
  command: "rollback" | "use";
  prefix?: string;
  steps?: number;
  reason?: string;
  cwd?: string;
  dataDir?: string;
}

/** True where the command line was answered. */
export async function moveQuickly(argv: readonly string[]): Promise<boolean> {
  const words = parse(argv);
  return words !== undefined && untilSignal((signal) => move(words, signal));
}

async function move(words: Words, signal: AbortSignal): Promise<boolean> {
  const directory = findProject(resolve(words.cwd ?? process.cwd()));
  const project = projectIn(directory);
  const ctx: SwitchContext = {
    dataRoot: dataRoot(words.dataDir, process.env.CHECKSTACK_DATA_DIR, directory),
    who: whoIs(process.env),
    command: `csp ${words.command}`,
    lockTimeoutMs: 0,
    now: Date.now,
    signal,
    waiting: () => {},
  };
  process.umask(0o022);
  let done: Move;
  try {
    done = await apply(ctx, words);
  } catch (error) {
    const failure = deviceFailure(error);
    if (failure !== undefined) await (await import("./quick-failure.ts")).reportFailure(failure);
    return failure !== undefined;
  }
  console.log(moveLines(done, false, (text) => text).join("\n"));
  if (done.switched && mayCollect(project)) {
    await (await import("./after-switch.ts")).afterQuickSwitch({ ...ctx, project });
  }
  return true;
}

function apply(ctx: SwitchContext, { command, prefix, steps, reason }: Words): Promise<Move> {
  return command === "rollback" ? applyRollback(ctx, { prefix, steps }, reason) : applyUse(ctx, prefix ?? "", reason);
}

/** The words of a plain command line; undefined for any other. */
function parse([command, ...rest]: readonly string[]): Words | undefined {
  if (command !== "rollback" && command !== "use") return undefined;
  const words: Words = { command };
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] as string;
    const key = options[word];
    if (key === undefined) {
      if (words.prefix !== undefined || !/^[0-9A-Fa-f]+$/.test(word)) return undefined;
      words.prefix = word;
      continue;
    }
    const value = rest[++i];
    if (value === undefined || value.startsWith("-")) return undefined;
    if (key !== "steps") words[key] = value;
    else if (command === "rollback" && /^[1-9][0-9]{0,5}$/.test(value)) words.steps = Number(value);
    else return undefined;
  }
  const both = words.prefix !== undefined && words.steps !== undefined;
  return both || (command === "use" && words.prefix === undefined) ? undefined : words;
}

const options: Readonly<Record<string, "cwd" | "dataDir" | "reason" | "steps">> = {
  "-C": "cwd",
  "--cwd": "cwd",
  "--data-dir": "dataDir",
  "--reason": "reason",
  "-n": "steps",
  "--steps": "steps",
};
