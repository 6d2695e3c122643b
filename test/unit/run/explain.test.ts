/** How the hooks ask csp why an import failed. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { nodePath, run, sharedPlace } from "./fixture.ts";

const place = sharedPlace();

/** Runs a script that fails three imports of two names, with this program in csp's stead; gives what the script saw. */
async function told(runtime: "bun" | "node", program: string) {
  const { host, hooks } = place();
  const log = join(host.root, `asked-${Bun.hash(runtime + program)}`);
  const csp = host.write(
    "csp-stand-in.mjs",
    `import { appendFileSync } from "node:fs"; const log = ${JSON.stringify(log)}; const args = process.argv.slice(2);
    appendFileSync(log, JSON.stringify({ args, cwd: process.cwd(), options: [process.env.BUN_OPTIONS, process.env.NODE_OPTIONS] }) + "\\n");\n${program}`,
  );
  const text = `for (const name of ["one", "one", "@scope/two/deep"]) await import(name).catch((error) => console.log(JSON.stringify(error.message)));`;
  const command = [process.execPath, "--config=/dev/null", "--tsconfig-override=/dev/null", csp, "-C", "/some/where"];
  const outcome = await run(host, hooks, {
    runtime,
    source: { kind: "code", text },
    explain: { command, cwd: host.root },
  });
  const messages = outcome.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as string);
  let asked: unknown[] = [];
  try {
    asked = readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  } catch {
    // Never asked.
  }
  return { messages, asked, root: host.root };
}

for (const runtime of ["bun", "node"] as const) {
  describe.skipIf(runtime === "node" && nodePath === null)(`on ${runtime}`, () => {
    test("csp is asked once per package, and its answer is the message", async () => {
      const { messages, asked, root } = await told(
        runtime,
        "console.log('why ' + args.at(-1) + ' failed\\nhelp: do this')",
      );
      expect(messages.map((message) => message.split("\n").slice(0, 2))).toEqual([
        ["why one failed", "help: do this"],
        ["why one failed", "help: do this"],
        ["why @scope/two failed", "help: do this"],
      ]);
      const question = (name: string) => ({
        args: ["-C", "/some/where", "internal", "explain-import", name],
        cwd: root,
        options: [null, null],
      });
      expect(asked).toEqual([question("one"), question("@scope/two")]);
    });

    test.each([
      ["fails", "console.log('half an answer'); process.exit(1)"],
      ["says nothing", ""],
    ])("a csp that %s leaves a general message", async (_, program) => {
      const { messages } = await told(runtime, program);
      expect(messages[0]).toStartWith("`one` is not in the tree of this run\n  help: run `csp add one`");
    });
  });
}

test("an answer brings no control characters into the script's terminal", async () => {
  const { messages } = await told("bun", "console.log('a\\u001b[2Jb\\u202ec')");
  expect(messages[0]).toStartWith("a\ufffd[2Jb\ufffdc\n");
});
