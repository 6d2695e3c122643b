/** Processes and workers that a script starts get the same tree. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { nodePath, printed, sharedPlace } from "./fixture.ts";

const place = sharedPlace();
const needsNode = test.skipIf(nodePath === null);

const dual = `import dual from "dual"; console.log("child", dual, ...process.argv.slice(2));`;

function lines(text: string, runtime: "bun" | "node", name = "start.mjs"): Promise<string[]> {
  const { host, hooks } = place();
  return printed({ host, hooks }, { runtime, source: { kind: "file", path: host.write(name, text) } });
}

for (const runtime of ["bun", "node"] as const) {
  describe.skipIf(runtime === "node" && nodePath === null)(`on ${runtime}`, () => {
    test("a child on the same runtime, by its path, by fork and by code", async () => {
      place().host.write("child.mjs", dual);
      const text = `import { spawnSync, fork } from "node:child_process"; const child = import.meta.dirname + "/child.mjs";
        const say = ({ stdout, stderr }) => process.stdout.write(stdout + stderr);
        say(spawnSync(process.execPath, [child, "--flag"], { cwd: "/", encoding: "utf8" }));
        await new Promise((resolve) => fork(child, ["forked"]).on("exit", resolve));
        say(spawnSync(process.execPath, ["-e", 'console.log(require("dual"))'], { encoding: "utf8" }));`;
      expect(await lines(text, runtime)).toEqual([
        "child dual by import --flag",
        "child dual by import forked",
        "dual by require",
      ]);
    });

    needsNode("a child on the other runtime", async () => {
      place().host.write("child.mjs", dual);
      const other = runtime === "bun" ? nodePath : process.execPath;
      const text = `import { spawnSync } from "node:child_process";
        const { stdout, stderr } = spawnSync(${JSON.stringify(other)}, [import.meta.dirname + "/child.mjs"], { cwd: "/", encoding: "utf8" });
        process.stdout.write(stdout + stderr);`;
      expect(await lines(text, runtime)).toEqual(["child dual by import"]);
    });

    test("threads, also with an environment of their own", async () => {
      const { host } = place();
      host.write("thread.mjs", `import dual from "dual"; console.log("thread", dual);`);
      host.write("thread.cjs", `console.log("thread", require("dual"));`);
      const text = `import { Worker } from "node:worker_threads";
        const run = (...words) => new Promise((resolve) => new Worker(...words).on("error", (error) => console.log(error.message)).on("exit", resolve));
        await run(new URL("./thread.mjs", import.meta.url)); await run(import.meta.dirname + "/thread.cjs");
        await run(new URL("./thread.mjs", import.meta.url), { env: { OWN: "1" } });
        await run('console.log("code", require("dual"))', { eval: true });`;
      expect(await lines(text, runtime)).toEqual([
        "thread dual by import",
        "thread dual by require",
        "thread dual by import",
        "code dual by require",
      ]);
    });
  });
}

describe("on bun", () => {
  test("web workers, by URL, by path and from a package", async () => {
    const { host } = place();
    host.write(
      "web.ts",
      `import dual from "dual"; const text: string = dual; console.log("web", text); process.exit(0);`,
    );
    const text = `const run = (url) => new Promise((resolve) => new Worker(url).addEventListener("close", resolve));
      await run(new URL("./web.ts", import.meta.url).href); await run("./web.ts");`;
    expect(await lines(text, "bun")).toEqual(["web dual by import", "web dual by import"]);
  });

  test("worker_threads taken by require gets the tree too", async () => {
    place().host.write("thread.mjs", `import dual from "dual"; console.log("thread", dual);`);
    const text = `const { Worker } = require("worker_threads"); new Worker(__dirname + "/thread.mjs");`;
    expect(await lines(text, "bun", "start.cjs")).toEqual(["thread dual by import"]);
  });

  test("a child gets no package from the network", async () => {
    place().host.write("child.mjs", `import x from "never-published-name";`);
    const text = `import { spawnSync } from "node:child_process"; import { mkdtempSync, copyFileSync } from "node:fs"; import { tmpdir } from "node:os";
      const { stderr } = spawnSync(process.execPath, [import.meta.dirname + "/child.mjs"], { encoding: "utf8" });
      console.log(stderr.split("\\n")[0]);`;
    expect(await lines(text, "bun")).toEqual(["error: `never-published-name` is not in the tree of this run"]);
  });

  test("the tests of bun test import from the tree", async () => {
    const { host } = place();
    host.write(
      "own.test.ts",
      `import { expect, test } from "bun:test"; import dual from "dual"; test("x", () => expect(dual).toBe("dual by import"));`,
    );
    const text = `import { spawnSync } from "node:child_process";
      console.log(spawnSync(process.execPath, ["test", "./own.test.ts"], { encoding: "utf8", cwd: import.meta.dirname }).status);`;
    expect(await lines(text, "bun")).toEqual(["0"]);
    expect(host.scripts).toBe(join(host.root, "project", "scripts"));
  });
});
