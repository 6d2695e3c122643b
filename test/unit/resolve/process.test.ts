/** The child and its end. Nothing here waits for time to pass: a registry that never answers says when it is asked. */
import { describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { resolveWith, rootsOf, startRegistry, withTemp } from "./fixture.ts";

const roots = rootsOf({ hang: "1.0.0" });
const hanging = () => startRegistry({}, { hang: "hang" });

/** An executable script in place of bun. */
async function withScript<T>(body: string, use: (path: string) => Promise<T>): Promise<T> {
  return await withTemp(async (directory) => {
    const path = join(directory, "bun");
    // Without the variable the processes below do not end by themselves when their parent does.
    writeFileSync(path, `#!/bin/sh\nunset BUN_FEATURE_FLAG_NO_ORPHANS\n${body}\n`);
    chmodSync(path, 0o755);
    return await use(path);
  });
}

describe("a registry that never answers", () => {
  test("ends at the limit, and bun with it", async () => {
    const registry = hanging();
    const resolution = await resolveWith(registry, roots, { timeoutMs: 400 });
    expect(resolution).toEqual({
      kind: "failed",
      failures: [{ kind: "timeout", text: "bun did not end within 400 ms" }],
    });
    // On a very busy machine the limit passes before bun has asked anything.
    if (registry.requests.length > 0) await registry.gone;
    await registry.stop();
  });

  test("ends on abort with the signal's reason", async () => {
    const registry = hanging();
    const control = new AbortController();
    const resolution = resolveWith(registry, roots, { signal: control.signal });
    await registry.asked;
    control.abort(new Error("stop now"));
    await expect(resolution).rejects.toThrow("stop now");
    await registry.gone;
    await registry.stop();
  });

  test("a signal that was aborted before starts nothing", async () => {
    const registry = hanging();
    const signal = AbortSignal.abort(new Error("stop now"));
    await expect(resolveWith(registry, roots, { signal, bun: "/nonexistent/bun" })).rejects.toThrow("stop now");
    expect(registry.requests).toEqual([]);
    await registry.stop();
  });

  test("what bun started ends with it", async () => {
    const registry = hanging();
    const control = new AbortController();
    const body = `"${process.execPath}" -e 'await fetch("${registry.url}hang")' &\nwait`;
    await withScript(body, async (bun) => {
      const resolution = resolveWith(registry, roots, { bun, signal: control.signal });
      await registry.asked;
      control.abort();
      await expect(resolution).rejects.toThrow();
      await registry.gone;
    });
    await registry.stop();
  });

  test("what left bun's process group and holds its output is not waited for", async () => {
    const registry = hanging();
    const control = new AbortController();
    const stray = JSON.stringify([process.execPath, "-e", `await fetch("${registry.url}hang")`]);
    const spawn = `Bun.spawn(${stray}, { detached: true, stdio: ["ignore", "ignore", "inherit"] })`;
    await withScript(`exec "${process.execPath}" -e '${spawn}; await new Promise(() => {})'`, async (bun) => {
      const resolution = resolveWith(registry, roots, { bun, signal: control.signal });
      await registry.asked;
      control.abort(new Error("stop now"));
      await expect(resolution).rejects.toThrow("stop now");
    });
    // The stray ends with its connection.
    await registry.stop();
  });

  test("bun ends when csp is killed", async () => {
    const registry = hanging();
    const request = `resolveWith({ url: "${registry.url}" }, { dependencies: { hang: "1.0.0" }, optionalDependencies: {} })`;
    const code = `import { resolveWith } from "${join(import.meta.dir, "fixture.ts")}"; await ${request};`;
    await withTemp(async (directory) => {
      const csp = Bun.spawn([process.execPath, "-e", code], {
        env: { TMPDIR: directory },
        stdio: ["ignore", "ignore", "inherit"],
      });
      await registry.asked;
      csp.kill("SIGKILL");
      await registry.gone;
    });
    await registry.stop();
  });
});

describe("bun gives up by itself before the limit", () => {
  test.each([30_000, 60_000, 120_000, 600_000])("with %d ms", async (timeoutMs) => {
    const script = 'echo "error: $BUN_CONFIG_HTTP_RETRY_COUNT $BUN_CONFIG_HTTP_IDLE_TIMEOUT" >&2; exit 1';
    const text = await withScript(script, async (bun) => {
      const resolution = await resolveWith({ url: "http://127.0.0.1:1/" }, roots, { bun, timeoutMs });
      return resolution.kind === "failed" ? resolution.failures[0]?.text : undefined;
    });
    const [retries, idle] = (text ?? "").split(" ").map(Number) as [number, number];
    // Measured: a silent request ends within 8 s after its idle time.
    expect((retries + 1) * (idle + 8) * 1000).toBeLessThanOrEqual(timeoutMs);
    expect(idle).toBeGreaterThanOrEqual(10);
  });
});

describe("a bun that does not do its work", () => {
  const run = (body: string) => withScript(body, (bun) => resolveWith({ url: "http://127.0.0.1:1/" }, roots, { bun }));
  const failed = (text: string) => ({ kind: "failed" as const, failures: [{ kind: "unknown" as const, text }] });

  test("none there", async () => {
    const resolution = resolveWith({ url: "http://127.0.0.1:1/" }, roots, { bun: "/nonexistent/bun" });
    await expect(resolution).rejects.toMatchObject({ code: "CSP_BUN_MISSING", exit: 2 });
  });
  test("success without a lockfile", async () => {
    expect(await run("exit 0")).toEqual(failed("bun ended without writing a lockfile"));
  });
  test("success with an error", async () => {
    expect(await run("echo '{}' > bun.lock; echo 'error: odd' >&2")).toEqual(failed("odd"));
  });
  test("failure without a word", async () => {
    expect(await run("exit 3")).toEqual(failed("bun ended with status 3"));
  });
  test("killed", async () => {
    expect(await run("kill -9 $$")).toEqual(failed("bun ended with SIGKILL"));
  });
  test("endless output is read, and kept to its first part", async () => {
    const flood = `"${process.execPath}" -e 'process.stderr.write("error: odd\\n" + "x".repeat(20_000_000))'; exit 1`;
    expect(await run(flood)).toEqual(failed("odd"));
  });
});
