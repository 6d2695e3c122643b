import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testNeeding } from "../../support/needs.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { hostBuild, link, placeCsp, placeFakeBun, placeRealBun, placeStub, start } from "./package-box.ts";

let top: string;
let home: string;
let csp: string;
beforeEach(() => {
  top = makeTemp();
  home = join(top, "the package");
  csp = join(home, "bin/csp");
  placeCsp(home);
  placeRealBun(join(home, "node_modules/@oven", hostBuild, "bin/bun"));
});
afterEach(() => removeTree(top));

interface Seen {
  argv: string[];
  execArgv: string[];
  env: Record<string, string>;
  part: string;
  reads: string;
}

/** What the program sees that csp starts. */
function seen(...[command, options]: Parameters<typeof start>): Seen {
  const { code, out, err } = start(command, options);
  expect(err).toBe("");
  expect(code).toBe(0);
  return JSON.parse(out) as Seen;
}

const shells = ["sh", "dash", "bash", "ksh", "mksh", "yash", "zsh"]
  .filter((shell) => Bun.which(shell))
  .map((shell) => [shell]);
if (Bun.which("busybox")) shells.push(["busybox", "sh"]);

describe("started", () => {
  test("passes every argument as it is", () => {
    const odd = [
      "a b",
      "",
      "*",
      "$HOME",
      "`id`",
      "-e",
      "--config=x",
      "--",
      'quo"te',
      "it's",
      "new\nline",
      "\\",
      "--version",
    ];
    expect(seen([csp, ...odd]).argv).toEqual(odd);
  });

  test.each(shells.map((shell) => [shell.join(" "), shell] as const))("by %s works", (_, shell) => {
    expect(seen([...shell, csp, "a b"]).argv).toEqual(["a b"]);
    const { out } = start([...shell, join(home, "bin/find-bun")]);
    expect(realpathSync(out.trimEnd())).toBe(realpathSync(process.execPath));
    const relative = start([...shell, "bin/find-bun"], { cwd: home, env: { CDPATH: home } });
    expect(relative.out).toBe(`${join(home, "node_modules/@oven", hostBuild, "bin/bun")}\n`);
  });

  test("by a relative path, from its own directory and by name alone works", () => {
    expect(seen(["the package/bin/csp", "1"], { cwd: top }).argv).toEqual(["1"]);
    expect(seen(["./csp", "2"], { cwd: join(home, "bin") }).argv).toEqual(["2"]);
    expect(seen(["sh", "csp", "3"], { cwd: join(home, "bin") }).argv).toEqual(["3"]);
    expect(seen(["sh", "bin/csp", "4"], { cwd: home }).argv).toEqual(["4"]);
    expect(seen(["env", "csp", "5"], { env: { PATH: `${home}/bin:/usr/bin:/bin` } }).argv).toEqual(["5"]);
    expect(seen(["env", "csp", "6"], { cwd: home, env: { PATH: "bin:/usr/bin:/bin" } }).argv).toEqual(["6"]);
  });

  test("by links of any kind works", () => {
    link(join(top, "usr/bin/csp"), "../../the package/bin/csp");
    link(join(top, "elsewhere/second"), "../usr/bin/csp");
    link(join(top, "absolute"), join(top, "elsewhere/second"));
    link(join(top, "directory"), "the package/bin");
    link(join(top, "tools/bin"), "../the package/bin");
    link(join(top, "package"), "the package");
    for (const path of [
      "usr/bin/csp",
      "elsewhere/second",
      "absolute",
      "directory/csp",
      "tools/bin/csp",
      "package/bin/csp",
    ]) {
      expect(seen([join(top, path), path])).toMatchObject({ argv: [path], part: "part of csp" });
      expect(seen([`./${path}`, path], { cwd: top }).argv).toEqual([path]);
    }
  });

  test("from a directory that was removed or cannot be read works", () => {
    mkdirSync(join(top, "gone"));
    const inGone = ["sh", "-c", `rmdir "$1" && exec "$2" x 2>/dev/null`, "sh", join(top, "gone"), csp];
    expect(JSON.parse(start(inGone, { cwd: join(top, "gone") }).out)).toMatchObject({ argv: ["x"] });
  });

  test("gives the exit status and signals of what it started", () => {
    writeFileSync(join(home, "dist/main.js"), "process.exit(7);");
    expect(start([csp]).code).toBe(7);
    writeFileSync(join(home, "dist/main.js"), "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000);");
    expect(Bun.spawnSync([csp], { env: {} }).signalCode).toBe("SIGTERM");
  });

  testNeeding(["strace", "linux"], "starts no process but bun, also by the links that npm and bun make", () => {
    const name = "checkstack-script-packages";
    link(join(top, "prefix/lib/node_modules", name), "../../../the package");
    link(join(top, "prefix/bin/csp"), `../lib/node_modules/${name}/bin/csp`);
    link(join(top, "project/node_modules", name), "../../the package");
    link(join(top, "project/node_modules/.bin/csp"), `../${name}/bin/csp`);
    link(join(top, ".bun/install/global/node_modules", name), "../../../../the package");
    link(join(top, ".bun/bin/csp"), `../install/global/node_modules/${name}/bin/csp`);
    placeFakeBun(join(top, "fake"));
    const log = join(top, "log");
    for (const path of [
      csp,
      ...["prefix/bin/csp", "project/node_modules/.bin/csp", ".bun/bin/csp"].map((p) => join(top, p)),
    ]) {
      start(["strace", "-f", "-qq", "-o", log, "-e", "trace=execve,fork,vfork,clone,clone3", path]);
      const calls = readFileSync(log, "utf8").split("\n");
      const bun = calls.findIndex((call) => call.includes("--no-env-file"));
      expect(calls.slice(0, bun + 1).map((call) => call.replace(/^\d+ +(\w+).*/, "$1"))).toEqual(["execve", "execve"]);
    }
  });
});

describe("CSP_BUN", () => {
  beforeEach(() => placeFakeBun(join(top, "my bun")));
  const ran = (CSP_BUN: string, cwd = top) => start([csp], { cwd, env: { CSP_BUN } }).out.split("\n")[0];

  test("wins over what was installed, absolute or relative", () => {
    expect(ran(join(top, "my bun"))).toBe(join(top, "my bun"));
    expect(ran("./my bun")).toBe("./my bun");
    expect(ran("my bun")).toBe("./my bun");
    const { out } = start(["sh", join(home, "bin/find-bun")], { cwd: top, env: { CSP_BUN: "my bun" } });
    expect(out).toBe(`${join(top, "my bun")}\n`);
  });

  test("that is empty counts for nothing", () => {
    expect(seen([csp], { env: { CSP_BUN: "" } }).argv).toEqual([]);
  });

  test("that cannot be run is an error with what to do", () => {
    placeStub(join(top, "bun"));
    writeFileSync(join(top, "plain"), "");
    chmodSync(join(top, "plain"), 0o644);
    for (const path of ["missing", "plain", "bun", "bun/bin/bun.exe"].map((name) => join(top, name))) {
      expect(start([csp], { env: { CSP_BUN: path } })).toEqual({
        code: 2,
        out: "",
        err: `error[CSP_BUN_MISSING]: CSP_BUN names \`${path}\`, which is not a bun that can be run
help: set CSP_BUN to the path of a bun binary, or unset it to use the one that was installed with csp
`,
      });
    }
  });
});

describe("nothing runs inside csp", () => {
  const evil = () => join(top, "evil.ts");
  let project: string;
  beforeEach(() => {
    project = join(top, "project");
    mkdirSync(join(project, "config"), { recursive: true });
    writeFileSync(evil(), `console.log("EVIL"); export const part = "EVIL"; export default {};`);
  });

  /** Starts csp in the project, first showing that the same bait is taken by a bun that is started plainly. */
  function expectUntouched(env: Record<string, string> = {}): void {
    const main = join(home, "dist/main.js");
    const plain = start([process.execPath, main], { cwd: project, env });
    expect(plain.out + plain.err).toContain("EVIL");
    const result = seen([csp, "x"], { cwd: project, env });
    expect(result).toMatchObject({ argv: ["x"], part: "part of csp", reads: "function" });
    expect(Object.keys(result.env).filter((name) => name.startsWith("EVIL"))).toEqual([]);
  }

  test("from a bunfig.toml", () => {
    writeFileSync(join(project, "bunfig.toml"), `preload = [${JSON.stringify(evil())}]`);
    expectUntouched();
  });

  test("from .env files", () => {
    for (const name of [".env", ".env.local", ".env.development", ".env.production"]) {
      writeFileSync(join(project, name), "EVIL=1\nNODE_TLS_REJECT_UNAUTHORIZED=0\n");
    }
    expectUntouched();
  });

  test.each(["tsconfig.json", "jsconfig.json"])("from the paths of a %s", (name) => {
    const paths = { "*": [evil()], "/*": [evil()], "./part.js": [evil()], "node:fs": [evil()] };
    writeFileSync(join(project, name), JSON.stringify({ compilerOptions: { baseUrl: ".", paths } }));
    expectUntouched();
  });

  test("from BUN_OPTIONS, NODE_OPTIONS and the inspector's variables", () => {
    expectUntouched({ BUN_OPTIONS: `--preload=${evil()}` });
    expectUntouched({ BUN_INSPECT_PRELOAD: evil() });
    const drop = { NODE_OPTIONS: `--require=${evil()}`, NODE_PATH: top, BUN_INSPECT: "127.0.0.1:0" };
    const more = { BUN_INSPECT_CONNECT_TO: "unix:/nowhere", BUN_INSPECT_NOTIFY: "unix:/nowhere" };
    const { env } = seen([csp], { cwd: project, env: { ...drop, ...more, NODE_EXTRA_CA_CERTS: "/ca.pem", HOME: top } });
    expect(Object.keys(env).filter((name) => /^(BUN|NODE)_/.test(name))).toEqual(["NODE_EXTRA_CA_CERTS"]);
  });

  test("from a package of the registry that an import would fetch", () => {
    rmSync(join(home, "node_modules"), { recursive: true });
    const main = join(home, "dist/main.js");
    writeFileSync(main, `import "csp-no-such-package";`);
    const env = { CSP_BUN: process.execPath, BUN_CONFIG_REGISTRY: "http://127.0.0.1:9/", HOME: top };
    expect(start([process.execPath, main], { cwd: project, env }).err).toContain("ConnectionRefused");
    const { code, err } = start([csp], { cwd: project, env });
    expect(code).not.toBe(0);
    expect(err).toContain("csp-no-such-package");
    expect(err).not.toContain("ConnectionRefused");
  }, 20_000);

  test("from files that are garbage", () => {
    for (const name of ["tsconfig.json", "bunfig.toml", ".env", "bun.lock", ".npmrc"]) {
      writeFileSync(join(project, name), "{{{ [[[");
    }
    expect(seen([csp], { cwd: project }).part).toBe("part of csp");
  });

  test("from a tsconfig.json above csp itself", () => {
    const modules = join(project, "node_modules");
    placeRealBun(join(modules, "@oven", hostBuild, "bin/bun"));
    placeCsp(join(modules, "checkstack-script-packages"));
    const paths = { "*": [evil()], "/*": [evil()], "./part.js": [evil()] };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: { paths } }));
    expect(seen([join(modules, "checkstack-script-packages/bin/csp")], { cwd: top }).part).toBe("part of csp");
  });
});
