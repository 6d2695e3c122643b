import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, closeSync, existsSync, openSync, readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CspError, isCspError } from "../../../src/core/errors.ts";
import { acquireLock, createLockFile, isFileAt, type LockWaitRequest, tryLock } from "../../../src/fs/lock.ts";
import type { LockHolder } from "../../../src/fs/lock-holder.ts";
import { probeLocks } from "../../../src/fs/lock-probe.ts";
import { testNeeding, unprivileged } from "../../support/needs.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { runChild, startChild, until, withMount } from "./child.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = makeTemp();
  path = join(directory, "gc");
});
afterEach(() => removeTree(directory));

const time = Date.UTC(2025, 0, 2, 3, 4, 5);
const exclusive = { mode: "exclusive", purpose: "csp gc", now: () => time } as const;
const shared = { ...exclusive, mode: "shared" } as const;
const waiting = (timeoutMs: number): LockWaitRequest => ({ ...exclusive, wait: { timeoutMs } });

const hold = (mode: string, purpose = "csp install") => `
  const lock = tryLock(${JSON.stringify(path)}, { mode: "${mode}", purpose: "${purpose}", now: () => ${time} });
  console.log(lock ? "held" : "busy");
  fs.readSync(0, Buffer.alloc(1));
  lock?.release();`;

async function failure(promise: Promise<unknown>): Promise<CspError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isCspError(error)) throw new Error(`no CspError: ${error}`);
  return error;
}

describe("between processes", () => {
  test("an exclusive lock excludes all others, until its holder is killed", async () => {
    const holder = await startChild(hold("exclusive"));
    expect(holder.ready).toBe("held");
    expect(tryLock(path, exclusive)).toBeUndefined();
    expect(tryLock(path, shared)).toBeUndefined();
    await holder.kill();
    const lock = tryLock(path, exclusive);
    expect(lock?.path).toBe(path);
    lock?.release();
  });

  test("shared locks share, and exclude an exclusive one", async () => {
    const holder = await startChild(hold("shared"));
    const second = tryLock(path, shared);
    expect(second).toBeDefined();
    expect(tryLock(path, exclusive)).toBeUndefined();
    await holder.finish();
    expect(tryLock(path, exclusive)).toBeUndefined();
    second?.release();
    tryLock(path, exclusive)?.release();
  });

  test("a waiter is told for whom it waits, and gets the lock when the holder is done", async () => {
    const holder = await startChild(hold("exclusive"));
    const told: (LockHolder | undefined)[] = [];
    const lock = await acquireLock(path, {
      ...exclusive,
      wait: { timeoutMs: 10_000, noticeMs: 0 },
      onWait(by) {
        told.push(by);
        void holder.finish();
      },
    });
    expect(told).toEqual([{ pid: holder.pid, purpose: "csp install", since: "2025-01-02T03:04:05.000Z" }]);
    lock.release();
    expect(readFileSync(path, "utf8")).toBe("");
  });

  const runScript = (then: string) => `
    const lock = tryLock(${JSON.stringify(path)}, { mode: "shared", purpose: "csp run", now: () => 0 });
    const script = Bun.spawn(["sleep", "60"], { stdio: ["ignore", "ignore", "ignore", lock.fd] });
    ${then}
    console.log(script.pid);
    fs.readSync(0, Buffer.alloc(1));`;

  test("a script that inherited the lock keeps it when csp is killed, until it ends", async () => {
    const csp = await startChild(runScript(""));
    const script = Number(csp.ready);
    try {
      await csp.kill();
      expect(tryLock(path, exclusive)).toBeUndefined();
      writeFileSync(path, JSON.stringify({ pid: csp.pid, purpose: "csp gc", since: "2025-01-02T03:04:05.000Z" }));
      expect((await failure(acquireLock(path, waiting(0)))).message).toBe(
        `\`${path}\` is held by another process, which could not be told`,
      );
    } finally {
      process.kill(script, "SIGKILL");
    }
    (await acquireLock(path, waiting(5000))).release();
  });

  test("releasing does not take a shared lock from a script that inherited it", async () => {
    const csp = await startChild(runScript("lock.release();"));
    const script = Number(csp.ready);
    try {
      expect(tryLock(path, exclusive)).toBeUndefined();
    } finally {
      process.kill(script, "SIGKILL");
    }
    (await acquireLock(path, waiting(5000))).release();
    await csp.finish();
  });

  test("other children do not inherit it, and a program just started does not hold it up", async () => {
    for (let round = 0; round < 20; round++) {
      const lock = tryLock(path, exclusive);
      const child = Bun.spawn(["sleep", "60"]);
      try {
        lock?.release();
        const again = tryLock(path, exclusive);
        expect(again).toBeDefined();
        again?.release();
      } finally {
        child.kill("SIGKILL");
        await child.exited;
      }
    }
  });

  testNeeding(
    ["strace"],
    "a lock file that is replaced while it is being locked is not taken for the lock",
    async () => {
      const log = join(directory, "log");
      const delayed = [
        "strace",
        "-f",
        "-o",
        log,
        "-e",
        "trace=openat,flock",
        "-e",
        "inject=flock:delay_enter=300000:when=1",
      ];
      writeFileSync(path, "");
      const starting = startChild(hold("exclusive"), delayed);
      const opened = new RegExp(`"${path}"(.*unfinished[^]*openat resumed)?.*= \\d+\n`);
      await until(() => existsSync(log) && opened.test(readFileSync(log, "utf8")));
      unlinkSync(path);
      writeFileSync(path, "");
      const holder = await starting;
      expect(holder.ready).toBe("held");
      expect(readFileSync(log, "utf8").match(/ flock\(/g)?.length).toBeGreaterThan(1);
      expect(tryLock(path, exclusive)).toBeUndefined();
      await holder.finish();
    },
  );
});

describe("waiting", () => {
  test("ends with the holder's name, what it does and since when", async () => {
    const holder = await startChild(hold("exclusive"));
    const error = await failure(acquireLock(path, waiting(5)));
    expect(error.code).toBe("CSP_LOCK_TIMEOUT");
    expect(error.exit).toBe(75);
    expect(error.message).toBe(
      `\`${path}\` is held by \`csp install\` (process ${holder.pid}) since 2025-01-02T03:04:05.000Z`,
    );
    expect(error.hint).toBe(`run \`csp gc\` again when process ${holder.pid} has ended`);
    await holder.finish();
  });

  testNeeding(["linux"], "names a holder of a shared lock by the kernel's list, whatever the file says", async () => {
    const dead = Bun.spawnSync(["true"]).pid;
    const note = { pid: dead, purpose: "csp install", since: "2025-01-02T03:04:05.000Z" };
    for (const content of [JSON.stringify(note), '{"pid":1,"purp', "\0\0\0", '{"pid":-1}', "[]", "x".repeat(5000)]) {
      writeFileSync(path, content);
      const holder = await startChild(hold("shared"));
      const error = await failure(acquireLock(path, waiting(0)));
      expect(error.message).toBe(`\`${path}\` is held by process ${holder.pid}`);
      await holder.finish();
    }
  });

  test("with no time allowed tries once", async () => {
    const lock = await acquireLock(path, waiting(0));
    expect((await failure(acquireLock(path, waiting(0)))).code).toBe("CSP_LOCK_TIMEOUT");
    lock.release();
    lock.release();
    (await acquireLock(path, waiting(0))).release();
  });

  test("ends when it is called off", async () => {
    const lock = tryLock(path, exclusive);
    const stop = new AbortController();
    const wait = acquireLock(path, {
      ...exclusive,
      wait: { timeoutMs: 60_000, noticeMs: 0 },
      signal: stop.signal,
      onWait: () => stop.abort("interrupted"),
    });
    expect(await wait.catch((reason: unknown) => reason)).toBe("interrupted");
    lock?.release();
    expect(await acquireLock(path, { ...waiting(0), signal: stop.signal }).catch((reason: unknown) => reason)).toBe(
      "interrupted",
    );
  });
});

describe("lock files", () => {
  test("have exact permissions, whatever the umask", () => {
    const umask = process.umask(0o077);
    try {
      tryLock(path, exclusive)?.release();
      createLockFile(join(directory, "lease"), 0o644);
      tryLock(join(directory, "other"), { ...shared, fileMode: 0o644 })?.release();
    } finally {
      process.umask(umask);
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, "lease")).mode & 0o777).toBe(0o644);
    expect(statSync(join(directory, "other")).mode & 0o777).toBe(0o644);
  });

  test("are known again by what they are, not by their name", () => {
    writeFileSync(path, "");
    const fd = openSync(path, "r");
    expect(isFileAt(fd, path)).toBe(true);
    unlinkSync(path);
    expect(isFileAt(fd, path)).toBe(false);
    writeFileSync(path, "");
    expect(isFileAt(fd, path)).toBe(false);
    closeSync(fd);
  });

  test("in a missing directory are an error that names the place", async () => {
    const error = await failure(acquireLock(join(directory, "no", "gc"), waiting(0)));
    expect(error.code).toBe("CSP_IO");
    expect(error.message).toContain(join(directory, "no", "gc"));
  });

  testNeeding(["root", "user"], "of another user can be locked shared where they can be read", () => {
    chmodSync(directory, 0o755);
    createLockFile(path, 0o644);
    const take = (mode: string) => `
      const lock = tryLock(${JSON.stringify(path)}, { mode: "${mode}", purpose: "csp run", now: () => 0 });
      lock.release();
      return "held";`;
    expect(runChild(take("shared"), unprivileged)).toEqual({ value: "held" });
    expect(runChild(take("exclusive"), unprivileged)).toMatchObject({ code: "CSP_READ_ONLY", os: "EACCES" });
    chmodSync(path, 0o600);
    expect(runChild(take("shared"), unprivileged)).toMatchObject({ code: "CSP_READ_ONLY", os: "EACCES" });
  });

  testNeeding(["root", "linux"], "on a read-only mount can be locked shared", () => {
    writeFileSync(path, "");
    const readOnly = withMount(`mount --bind '${directory}' '${directory}' && mount -o remount,ro,bind '${directory}'`);
    const take = (mode: string, file: string) => `
      const lock = tryLock(${JSON.stringify(file)}, { mode: "${mode}", purpose: "csp run", now: () => 0 });
      const second = tryLock(${JSON.stringify(file)}, { mode: "${mode}", purpose: "csp run", now: () => 0 });
      return [!!lock, !!second];`;
    expect(runChild(take("shared", path), readOnly)).toEqual({ value: [true, true] });
    expect(runChild(take("exclusive", path), readOnly)).toMatchObject({ code: "CSP_READ_ONLY", os: "EROFS" });
    expect(runChild(take("shared", `${path}2`), readOnly)).toMatchObject({ code: "CSP_READ_ONLY", os: "EROFS" });
  });
});

describe("the self-test", () => {
  test("passes where locks work and leaves nothing", () => {
    probeLocks(directory);
    tryLock(path, exclusive)?.release();
    expect(Array.from(new Bun.Glob("*").scanSync({ cwd: directory, dot: true }))).toEqual(["gc"]);
  });

  const probe = () => `probeLocks(${JSON.stringify(directory)})`;
  const inject = (fault: string) => ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `inject=flock:${fault}`];

  testNeeding(["strace"], "finds locks that exclude nobody", () => {
    expect(runChild(probe(), inject("retval=0"))).toMatchObject({
      code: "CSP_LOCKS_UNSUPPORTED",
      message: expect.stringContaining("do not exclude each other"),
    });
    expect(Array.from(new Bun.Glob("*").scanSync({ cwd: directory, dot: true }))).toEqual([]);
  });

  testNeeding(["strace"], "finds a file system without locks", () => {
    for (const errno of ["EOPNOTSUPP", "ENOLCK", "ENOSYS"]) {
      expect(runChild(probe(), inject(`error=${errno}`))).toMatchObject({ code: "CSP_LOCKS_UNSUPPORTED" });
    }
  });
});
