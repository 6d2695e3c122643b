/** A directory that several processes and users share: writers that race and are killed, readers who may not write. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFileStore } from "../../../src/store/file.ts";
import type { RootState, Store } from "../../../src/store/store.ts";
import { testNeeding, unprivileged } from "../../support/needs.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { bytesOf, digestOf, expectSame, listed, newKey, putNew } from "./objects.ts";

const file = JSON.stringify(join(import.meta.dir, "../../../src/store/file.ts"));

let temp: string;
let directory: string;
let store: Store;

beforeEach(() => {
  temp = makeTemp();
  directory = `${temp}/store`;
  store = openFileStore(directory, {});
});
afterEach(() => removeTree(temp));

/** A command that runs the lines, an async function's body, with `store` and `fs` in scope, and prints what they return. */
function client(lines: string, before: readonly string[] = []): string[] {
  const program = `import { openFileStore } from ${file};
import * as fs from "node:fs";
const store = openFileStore(${JSON.stringify(directory)}, {});
const codeOf = (work) => work.then(() => "no error", (error) => error.code ?? String(error));
const main = async () => { ${lines} };
console.log(JSON.stringify((await main()) ?? null));`;
  return [...before, process.execPath, "--config=/dev/null", "-e", program];
}

async function run(lines: string, before: readonly string[] = []): Promise<unknown> {
  const child = Bun.spawn(client(lines, before), { cwd: "/", stdout: "pipe", stderr: "pipe" });
  const [out, problems] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(problems);
  return JSON.parse(out);
}

const count = `
  for (let done = 0; done < 8; ) {
    const state = await store.root.read();
    const next = Number(state?.text.split(" ")[0] ?? 0) + 1;
    if (await store.root.swap(state?.version, next + " by " + process.pid)) done++;
  }`;

test("processes that change the root at once lose nothing", async () => {
  await Promise.all([run(count), run(count), run(count), run(count)]);
  expect(((await store.root.read()) as RootState).text).toMatch(/^32 /);
  expect(readdirSync(`${directory}/root`)).toHaveLength(33);
  expect(readdirSync(`${directory}/tmp`)).toEqual([]);
});

test("writers killed at any moment leave whole objects and whole roots, and drafts that a janitor takes a day later", async () => {
  const write = `
    const { bytesOf, putNew } = await import(${JSON.stringify(join(import.meta.dir, "objects.ts"))});
    for (let n = 0; ; n++) {
      fs.writeSync(1, ".");
      await putNew(store, bytesOf(300_000 + n, n));
      fs.writeSync(1, ".");
      const state = await store.root.read();
      await store.root.swap(state?.version, JSON.stringify({ n, fill: "x".repeat(100_000) }));
    }`;
  for (const dots of [1, 2, 5, 8]) {
    const child = Bun.spawn(client(write), { cwd: "/", stdout: "pipe", stderr: "inherit" });
    const reader = child.stdout.getReader();
    for (let seen = 0; seen < dots; ) seen += (await reader.read()).value?.byteLength ?? dots;
    child.kill("SIGKILL");
    await child.exited;
  }
  for (const [key, size] of await listed(store)) {
    const bytes = await store.blobs.get(key, { maxBytes: 1_000_000 });
    expect(bytes.byteLength).toBe(size);
    expect(key).toContain(digestOf(bytes));
  }
  const state = await store.root.read();
  if (typeof state === "object") expect(JSON.parse(state.text).fill).toHaveLength(100_000);
  expect(await store.root.swap((state as RootState | undefined)?.version, "{}")).toBeDefined();

  const draft = `${directory}/tmp/otherhost-1-${"0".repeat(32)}`;
  writeFileSync(draft, "half");
  for (const name of readdirSync(`${directory}/tmp`)) utimesSync(`${directory}/tmp/${name}`, 1, 1);
  await putNew(openFileStore(directory, {}), bytesOf(10, 1));
  expect(readdirSync(`${directory}/tmp`)).toEqual([]);
});

testNeeding(
  ["linux", "strace"],
  "an object is on the device before it has its name, and its name before put returns",
  async () => {
    await store.root.swap(undefined, "{}");
    const key = await newKey(store, bytesOf(5000, 1));
    const log = `${temp}/calls`;
    const strace = [
      "strace",
      "-f",
      "-y",
      "-s",
      "500",
      "-o",
      log,
      "-e",
      "trace=fsync,fdatasync,link,linkat,unlink,unlinkat,write",
    ];
    await run(
      `await store.blobs.put(${JSON.stringify(key)}, new Uint8Array(5000)); fs.writeSync(2, "returned")`,
      strace,
    );
    const calls = callsIn(readFileSync(log, "utf8"));
    const find = (pattern: RegExp): Call => calls.findLast(({ text }) => pattern.test(text)) as Call;
    const draft = find(/^fsync\(\d+<[^>]*\/store\/tmp\/[^>]*>/);
    const link = find(new RegExp(`^link.*/${RegExp.escape(key)}"`));
    const folder = find(/^fsync\(\d+<[^>]*\/store\/blobs>/);
    const returned = find(/^write\(2<.*returned/);
    expect(draft.end).toBeLessThan(link.start);
    expect(link.end).toBeLessThan(folder.start);
    expect(folder.end).toBeLessThan(returned.start);
  },
);

testNeeding(["user"], "a user who may only read reads all of it, is told so, and changes nothing", async () => {
  const key = await putNew(store, bytesOf(1000, 1));
  await store.root.swap(undefined, '{"a":1}');
  closeFor("others may read");
  const before = readdirSync(directory, { recursive: true });
  const seen = await run(
    `const key = ${JSON.stringify(key)};
     const bytes = await store.blobs.get(key, { maxBytes: 1000 });
     const pages = []; for await (const page of store.blobs.list()) pages.push(...page);
     return { length: bytes.length, pages, root: (await store.root.read()).text, capabilities: await store.capabilities(),
       put: await codeOf(store.blobs.put(key.replace(/.{32}$/, "0".repeat(32)), bytes)),
       swap: await codeOf(store.root.swap((await store.root.read()).version, "{}")),
       delete: await codeOf(store.blobs.delete(key)) };`,
    unprivileged,
  );
  expect(seen).toEqual({
    length: 1000,
    pages: [{ key, size: 1000 }],
    root: '{"a":1}',
    capabilities: { writers: "none", why: expect.stringContaining("may not write") },
    put: "CSP_STORE_READ_ONLY",
    swap: "CSP_STORE_READ_ONLY",
    delete: "CSP_STORE_READ_ONLY",
  });
  expect(readdirSync(directory, { recursive: true })).toEqual(before);
  expectSame(await store.blobs.get(key, { maxBytes: 1000 }), bytesOf(1000, 1));
});

testNeeding(["user"], "a user who may not read is told so", async () => {
  const key = await putNew(store, bytesOf(1000, 1));
  await store.root.swap(undefined, "{}");
  closeFor("none but the owner");
  const seen = await run(
    `return [await codeOf(store.root.read()), await codeOf(store.blobs.get(${JSON.stringify(key)}, { maxBytes: 1000 }))];`,
    unprivileged,
  );
  expect(seen).toEqual(["CSP_STORE_DENIED", "CSP_STORE_DENIED"]);
});

testNeeding(["user"], "a user who may not make a store in a directory is told so", async () => {
  mkdirSync(`${temp}/closed`);
  chmodSync(temp, 0o755);
  chmodSync(`${temp}/closed`, 0o555);
  directory = `${temp}/closed/store`;
  expect(
    await run(
      "return [(await store.capabilities()).writers, await codeOf(store.root.swap(undefined, '{}'))];",
      unprivileged,
    ),
  ).toEqual(["none", "CSP_STORE_READ_ONLY"]);
});

/** Under root the other user is bound by these modes; otherwise the same user is, by the owner's part of them. */
function closeFor(whom: "others may read" | "none but the owner"): void {
  const root = process.getuid?.() === 0;
  chmodSync(temp, 0o755);
  if (whom === "none but the owner") chmodSync(directory, root ? 0o700 : 0o000);
  else if (!root) {
    for (const folder of ["", "/blobs", "/releases", "/root", "/tmp"]) chmodSync(`${directory}${folder}`, 0o555);
  }
}

/** One system call: its text without the result, and the lines on which it began and ended. */
interface Call {
  text: string;
  start: number;
  end: number;
}

/** Calls of several threads, as strace writes them: one that another thread's call fell into is on two lines. */
function callsIn(log: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<string, Call>();
  for (const [line, text] of log.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(text) ?? [];
    const resumed = rest.startsWith("<...") ? open.get(thread) : undefined;
    if (resumed !== undefined) resumed.end = line;
    else {
      const call = { text: rest, start: line, end: rest.includes("<unfinished") ? Number.POSITIVE_INFINITY : line };
      calls.push(call);
      open.set(thread, call);
    }
  }
  return calls;
}
