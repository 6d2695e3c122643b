/** Runs a few lines against src/fs in a process of their own, that can be killed, traced, confined or another user. */
import { join } from "node:path";

const source = join(import.meta.dir, "../../../src/fs");
const modules = ["durable", "free-space", "lock", "lock-probe", "publish", "remove", "scratch"];

/** What the lines returned, or the CspError they threw. */
export interface Outcome {
  value?: unknown;
  code?: string;
  message?: string;
  os?: string;
}

/**
 * The command line that runs the lines as the body of an async function; `before` goes in front (`strace -f …`).
 * All exports of src/fs are in scope, and `node:fs` as `fs`. The outcome is the last line printed.
 */
export function childCommand(lines: string, before: readonly string[] = []): string[] {
  const imports = modules.map((name, n) => `import * as m${n} from ${JSON.stringify(join(source, `${name}.ts`))};`);
  const program = `${imports.join("\n")}
import * as fs from "node:fs";
const scope = { fs, ${modules.map((_, n) => `...m${n}`).join(", ")} };
const body = new (async () => {}).constructor(...Object.keys(scope), ${JSON.stringify(lines)});
try { console.log(JSON.stringify({ value: (await body(...Object.values(scope))) ?? null })); }
catch (error) {
  if (error?.name !== "CspError") throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message, os: error.data.os }));
}`;
  return [...before, process.execPath, "--config=/dev/null", "-e", program];
}

/** Runs the lines to their end. */
export function runChild(lines: string, before: readonly string[] = []): Outcome {
  const child = Bun.spawnSync(childCommand(lines, before), { cwd: "/", stderr: "pipe" });
  const last = child.stdout.toString().trimEnd().split("\n").at(-1) ?? "";
  if (!last.startsWith("{")) throw new Error(`child failed (${child.exitCode}): ${child.stderr}${child.stdout}`);
  return JSON.parse(last) as Outcome;
}

/** Starts the lines, which print one line when they are ready and may read `fs.readSync(0, …)` to wait for the end. */
export async function startChild(lines: string, before: readonly string[] = []) {
  const child = Bun.spawn(childCommand(lines, before), { cwd: "/", stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`child ended before it was ready: ${text}`);
    text += new TextDecoder().decode(value);
  }
  return {
    pid: child.pid,
    ready: text.trim(),
    /** Ends it without a chance to clean up. */
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    send: (name: NodeJS.Signals) => child.kill(name),
    /** Lets it end by itself. */
    async finish() {
      await child.stdin.end();
      return await child.exited;
    },
  };
}

/** Waits until something is true, looking again and again; fails after five seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`never became true: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A prefix that runs a command with a file system of its own mounted by `mount`; root only. */
export function withMount(mount: string): string[] {
  return ["unshare", "--mount", "sh", "-c", `${mount} && exec "$@"`, "sh"];
}
