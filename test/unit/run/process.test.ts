/** The script as a process: its end, its time, its signals, its environment, what it inherits and what stays behind. */
import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nodePath, type RunOptions, run, sharedPlace } from "./fixture.ts";

const place = sharedPlace();
const runs = () => join(place().host.data, ".runs");

function script(text: string, options: RunOptions = {}) {
  const { host, hooks } = place();
  return run(host, hooks, { source: { kind: "code", text }, ...options });
}

afterEach(() => expect(existsSync(runs()) ? readdirSync(runs()) : []).toEqual([]));

for (const runtime of ["bun", "node"] as const) {
  describe.skipIf(runtime === "node" && nodePath === null)(`on ${runtime}`, () => {
    test("the exit code is the script's", async () => {
      expect(await script("process.exit(7)", { runtime })).toMatchObject({ exitCode: 7, timedOut: false });
      expect(await script("process.exitCode = 0", { runtime })).toMatchObject({ exitCode: 0 });
    });

    test("the signal that ends it is told", async () => {
      const outcome = await script('process.kill(process.pid, "SIGKILL"); setTimeout(() => {}, 60000)', { runtime });
      expect(outcome).toMatchObject({ signal: "SIGKILL", timedOut: false });
      expect(outcome.exitCode).toBeUndefined();
    });

    test.each(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const)("%s reaches the script once", async (signal) => {
      const text = `let count = 0; process.on("${signal}", () => { count++; setTimeout(() => { console.log("got", count); process.exit(3); }, 50); });
        setInterval(() => {}, 60000); console.log("ready");`;
      const outcome = await script(text, {
        runtime,
        onOutput: (runner, out) => out.includes("ready") && runner.kill(signal),
      });
      expect(outcome).toMatchObject({ stdout: "ready\ngot 1\n", exitCode: 3, handlers: 0 });
    });

    test("standard input, arguments and the working directory are the script's", async () => {
      const text = `let text = ""; process.stdin.on("data", (part) => { text += part; }).on("end", () => console.log(text, process.cwd()));`;
      const path = place().host.write(`stdin-${runtime}.cjs`, text);
      const outcome = await script("", { runtime, source: { kind: "file", path }, stdin: "some input" });
      expect(outcome.stdout).toBe(`some input ${place().host.scripts}\n`);
    });
  });
}

test("on a terminal Ctrl-C is not doubled, and SIGTERM still passes", async () => {
  const text = `process.on("SIGINT", () => console.log("doubled")); process.on("SIGTERM", () => setTimeout(() => { console.log("got"); process.exit(4); }, 100));
    setInterval(() => {}, 60000); console.log("ready");`;
  const onOutput: RunOptions["onOutput"] = (runner, out) => {
    if (!out.includes("ready")) return;
    runner.kill("SIGINT");
    runner.kill("SIGTERM");
  };
  expect(await script(text, { terminal: true, onOutput })).toMatchObject({ stdout: "ready\ngot\n", exitCode: 4 });
});

describe("a limit in time", () => {
  test("asks first: the script may end by itself", async () => {
    const text = `process.on("SIGTERM", () => { console.log("asked"); process.exit(9); }); setInterval(() => {}, 60000); console.log("ready");`;
    expect(await script(text, { timeoutMs: 1500 })).toMatchObject({
      stdout: "ready\nasked\n",
      exitCode: 9,
      timedOut: true,
    });
  });

  test("then ends it and all below it, in whatever group", async () => {
    const text = `process.on("SIGTERM", () => {}); const { spawn } = require("node:child_process");
      const child = spawn("sh", ["-c", "trap '' TERM; sleep 60 & echo $!; wait"], { stdio: ["ignore", "pipe", "ignore"], detached: true });
      child.stdout.on("data", (pid) => console.log(child.pid, String(pid).trim())); setInterval(() => {}, 60000);`;
    const outcome = await script(text, { timeoutMs: 1500, graceMs: 100 });
    expect(outcome).toMatchObject({ signal: "SIGKILL", timedOut: true });
    const pids = outcome.stdout.trim().split(" ").map(Number);
    expect(pids).toHaveLength(2);
    for (const pid of pids) expect(isAlive(pid)).toBe(false);
  });

  test("does nothing to a script that is done in time", async () => {
    expect(await script("console.log(1)", { timeoutMs: 60_000 })).toMatchObject({ exitCode: 0, timedOut: false });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A process that ended but was not waited for by its new parent is dead all the same.
    return (
      process.platform !== "linux" ||
      !/^State:\s+Z/m.test(require("node:fs").readFileSync(`/proc/${pid}/status`, "utf8"))
    );
  } catch {
    return false;
  }
}

describe("the environment", () => {
  test("is the user's without csp's secrets and without what loads code", async () => {
    const env = {
      VISIBLE: "yes",
      STORE_KEY_OF_THE_USER: "kept",
      CSP_STORE_SECRET: "canary-1",
      AWS_SECRET_ACCESS_KEY: "canary-2",
      NPM_TOKEN: "canary-3",
      "npm_config_//npm.example.com/:_authToken": "canary-4",
      MY_REGISTRY_TOKEN: "canary-5",
      NODE_AUTH_TOKEN: "canary-6",
      NODE_OPTIONS: "--title=canary-7",
    };
    const text = `console.log(JSON.stringify(process.env)); console.log(require("node:child_process").execSync("env").toString());`;
    const dropEnv = ["MY_REGISTRY_TOKEN", "AWS_SECRET_ACCESS_KEY"];
    const { stdout } = await script(text, { env, dropEnv });
    expect(stdout).not.toMatch(/canary-\d/);
    expect(JSON.parse(stdout.split("\n")[0] ?? "")).toMatchObject({ VISIBLE: "yes", STORE_KEY_OF_THE_USER: "kept" });
  });

  test("names the tree and a scratch directory that is gone afterwards", async () => {
    const { host } = place();
    const text = `const { writeFileSync, mkdirSync, statSync } = require("node:fs"); const { CSP_RUN_DIR: dir, CSP_TREE } = process.env;
      mkdirSync(dir + "/deep/er", { recursive: true }); writeFileSync(dir + "/deep/er/left", "x");
      console.log(dir); console.log(CSP_TREE); console.log((statSync(dir).mode & 0o777).toString(8));`;
    const { stdout } = await script(text);
    const [scratch = "", tree, mode] = stdout.split("\n");
    expect(scratch).toStartWith(`${runs()}/`);
    expect({ tree, mode, left: existsSync(scratch) }).toEqual({ tree: host.tree, mode: "700", left: false });
  });

  test("a scratch directory that cannot be written is replaced by the next", async () => {
    const { host } = place();
    writeFileSync(join(host.root, "no-directory"), "");
    mkdirSync(join(host.root, "second"), { recursive: true });
    const scratchIn = [join("/proc", "csp-cannot-write"), join(host.root, "second")];
    const { stdout, error } = await script("console.log(process.env.CSP_RUN_DIR)", { scratchIn });
    if (error === "CSP_IO") return; // A kernel that words it otherwise.
    expect(stdout).toStartWith(join(host.root, "second"));
  });
});

test("the script inherits open files, so that locks in them outlive csp", async () => {
  const path = join(place().host.root, "lease");
  writeFileSync(path, "");
  // The runner opens its own: a number means nothing in another process.
  const fd = openSync(path, "r");
  closeSync(fd);
  const text = `const { readdirSync, readlinkSync } = require("node:fs");
    const open = readdirSync("/proc/self/fd").flatMap((fd) => { try { return [readlinkSync("/proc/self/fd/" + fd)]; } catch { return []; } });
    console.log(open.includes(${JSON.stringify(path)}), open.some((name) => name.endsWith("/.lock")));`;
  if (!existsSync("/proc/self/fd")) return;
  expect((await script(text, { inherit: path })).stdout).toBe("true true\n");
});

test("what cannot be started is an error before anything runs", async () => {
  const { host } = place();
  const missing = { kind: "file", path: join(host.scripts, "nothing.ts") } as const;
  expect(await script("", { source: missing })).toMatchObject({ error: "CSP_SCRIPT_MISSING" });
  expect(await script("", { source: { kind: "file", path: host.scripts } })).toMatchObject({
    error: "CSP_SCRIPT_MISSING",
  });
  expect(await script("1", { runtimePath: "/nonexistent/bun" })).toMatchObject({ error: "CSP_BUN_MISSING" });
  expect(await script("1", { runtime: "node", runtimePath: "/nonexistent/node" })).toMatchObject({
    error: "CSP_NODE_MISSING",
  });
});
