import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeTemp, removeTree } from "../../support/temp.ts";
import {
  hostBuild,
  link,
  placeCsp,
  placeFakeBun,
  placeInstalled,
  placeStub,
  start,
  stubText,
  writeExecutable,
} from "./package-box.ts";

let top: string;
beforeEach(() => {
  top = join(makeTemp(), "a place [with] 'odd' $names");
  mkdirSync(top);
});
afterEach(() => removeTree(join(top, "..")));

const csp = "checkstack-script-packages";
const build = join("@oven", hostBuild);

/** The bun that csp at this path starts, relative to `top`. */
function found(path: string): string {
  const { code, out, err } = start([join(top, path), "x"]);
  expect(err).toBe("");
  expect(code).toBe(0);
  // By the kernel: JavaScript's realpath takes `..` away before it follows links.
  return start(["realpath", out.split("\n")[0] ?? ""])
    .out.trimEnd()
    .slice(top.length + 1);
}

describe("bun is found as installed by", () => {
  test("npm -g without install scripts: all below csp", () => {
    const modules = join(top, "lib/node_modules", csp, "node_modules");
    placeCsp(join(modules, ".."));
    placeStub(join(modules, "bun"));
    placeFakeBun(join(modules, build, "bin/bun"));
    link(join(top, "bin/csp"), `../lib/node_modules/${csp}/bin/csp`);
    expect(found("bin/csp")).toBe(join("lib/node_modules", csp, "node_modules", build, "bin/bun"));
  });

  test("npm -g with install scripts: the platform's package was emptied", () => {
    const modules = join(top, "lib/node_modules", csp, "node_modules");
    placeCsp(join(modules, ".."));
    placeInstalled(join(modules, "bun"), join(modules, build));
    link(join(top, "bin/csp"), `../lib/node_modules/${csp}/bin/csp`);
    expect(found("bin/csp")).toBe(join("lib/node_modules", csp, "node_modules/bun/bin/bun.exe"));
  });

  test("npm, where the install script fetched the binary because there was no platform's package", () => {
    const modules = join(top, "node_modules");
    placeCsp(join(modules, csp));
    placeInstalled(join(modules, "bun"));
    link(join(modules, ".bin/csp"), `../${csp}/bin/csp`);
    expect(found("node_modules/.bin/csp")).toBe("node_modules/bun/bin/bun.exe");
  });

  test("npm or npx in a project: all beside csp", () => {
    const modules = join(top, "node_modules");
    placeCsp(join(modules, csp));
    placeStub(join(modules, "bun"));
    placeFakeBun(join(modules, build, "bin/bun"));
    link(join(modules, ".bin/csp"), `../${csp}/bin/csp`);
    expect(found("node_modules/.bin/csp")).toBe(join("node_modules", build, "bin/bun"));
  });

  test("npm in a project that uses another bun itself: csp's own one is nested", () => {
    const modules = join(top, "node_modules");
    placeCsp(join(modules, csp));
    placeInstalled(join(modules, "bun"), join(modules, build));
    const own = join(modules, csp, "node_modules/bun");
    placeStub(own);
    placeFakeBun(join(own, "node_modules", build, "bin/bun"));
    expect(found(join("node_modules", csp, "bin/csp"))).toBe(
      join("node_modules", csp, "node_modules/bun/node_modules", build, "bin/bun"),
    );
  });

  test.each(["platform", "@acme/platform"])("npm for %s, which depends on csp", (dependent) => {
    const modules = join(top, "node_modules");
    placeCsp(join(modules, dependent, "node_modules", csp));
    placeFakeBun(join(modules, build, "bin/bun"));
    expect(found(join("node_modules", dependent, "node_modules", csp, "bin/csp"))).toBe(
      join("node_modules", build, "bin/bun"),
    );
  });

  test.each([
    ["pnpm", ".pnpm"],
    ["bun's isolated linker", ".bun"],
    ["npm's linked strategy", ".store"],
  ])("%s: every package in a directory of its own", (_, store) => {
    const modules = join(top, "node_modules");
    const at = (name: string, path: string) => join(modules, store, `${name}@1`, "node_modules", path);
    placeCsp(at("csp", csp));
    placeStub(at("bun", "bun"));
    placeFakeBun(at("build", join(build, "bin/bun")));
    link(at("csp", "bun"), "../../bun@1/node_modules/bun");
    link(at("bun", build), `../../../build@1/node_modules/${build}`);
    link(join(modules, csp), `${store}/csp@1/node_modules/${csp}`);
    link(join(top, "linked"), `node_modules/${csp}/bin/csp`);
    // pnpm writes a shell script that starts csp by the path with the link in it.
    writeExecutable(join(modules, ".bin/csp"), `#!/bin/sh\nexec "\${0%/*}/../${csp}/bin/csp" "$@"\n`);
    const expected = join("node_modules", store, "build@1/node_modules", build, "bin/bun");
    expect(found("linked")).toBe(expected);
    expect(found("node_modules/.bin/csp")).toBe(expected);
  });

  test("pnpm with install scripts allowed", () => {
    const at = (name: string, path: string) => join(top, "node_modules/.pnpm", `${name}@1`, "node_modules", path);
    placeCsp(at("csp", csp));
    placeInstalled(at("bun", "bun"), at("build", build));
    link(at("csp", "bun"), "../../bun@1/node_modules/bun");
    link(at("bun", build), `../../../build@1/node_modules/${build}`);
    expect(found(join("node_modules/.pnpm/csp@1/node_modules", csp, "bin/csp"))).toBe(
      "node_modules/.pnpm/bun@1/node_modules/bun/bin/bun.exe",
    );
  });

  test("bun add -g", () => {
    const modules = join(top, "install/global/node_modules");
    placeCsp(join(modules, csp));
    placeFakeBun(join(modules, build, "bin/bun"));
    link(join(top, "bin/csp"), `../install/global/node_modules/${csp}/bin/csp`);
    expect(found("bin/csp")).toBe(join("install/global/node_modules", build, "bin/bun"));
  });

  test("a checkout, whose sources run when nothing was built", () => {
    placeCsp(top);
    rmSync(join(top, "dist"), { recursive: true });
    placeFakeBun(join(top, "node_modules", build, "bin/bun"));
    const { out } = start([join(top, "bin/csp"), "x"]);
    expect(out.trimEnd().split("\n").slice(-2)).toEqual([join(top, "src/cli/main.ts"), "x"]);
  });
});

describe("what is no bun for this host", () => {
  const modules = () => join(top, "node_modules");
  const launch = (env = {}) => start([join(modules(), csp, "bin/csp")], { env });
  beforeEach(() => placeCsp(join(modules(), csp)));

  test("is passed over, and named when there is nothing else", () => {
    placeStub(join(modules(), "bun"));
    placeFakeBun(join(modules(), "@oven/bun-windows-x64/bin/bun"));
    expect(launch()).toEqual({
      code: 2,
      out: "",
      err: `error[CSP_BUN_MISSING]: no bun to run was found beside csp or on the PATH
  @oven/bun-windows-x64 is there and does not run on this machine
help: run \`npm install --global --include=optional ${csp}\`, or set CSP_BUN to the path of a bun binary
`,
    });
    placeFakeBun(join(modules(), build, "bin/bun"));
    expect(launch().code).toBe(0);
  });

  test("makes the PATH count, but only its absolute entries and no text that stands in for bun", () => {
    placeStub(join(modules(), "bun"));
    link(join(top, "stub/bun"), "../node_modules/bun/bin/bun.exe");
    placeFakeBun(join(top, "relative/bun"));
    mkdirSync(join(top, "directory/bun"), { recursive: true });
    placeFakeBun(join(top, "absolute/bun"));
    const path = (...entries: string[]) => ({ PATH: [...entries, "/usr/bin", "/bin"].join(":") });
    const odd = ["", ".", "relative", join(top, "stub"), join(top, "directory"), join(top, "missing")];
    const cwd = join(top, "relative");
    const command = [join(modules(), csp, "bin/csp")];
    expect(start(command, { cwd, env: path(...odd) }).code).toBe(2);
    const { out } = start(command, { cwd, env: path(...odd, join(top, "absolute")) });
    expect(out.split("\n")[0]).toBe(join(top, "absolute/bun"));
  });
});

describe("builds for several machines side by side", () => {
  /** The choice on a machine where exactly these system files exist. */
  function choice(machine: string, files: readonly string[], builds: readonly string[]): string {
    const system = join(top, "system");
    rmSync(join(top, "system"), { recursive: true, force: true });
    for (const file of files) writeExecutable(join(system, file), "");
    writeExecutable(join(system, "tools/uname"), `#!/bin/sh\necho ${machine}\n`);
    const home = join(top, "home");
    rmSync(home, { recursive: true, force: true });
    placeCsp(home);
    const script = join(home, "bin/find-bun");
    writeFileSync(script, readFileSync(script, "utf8").replace(/\[ -e \/(\S+) \]/g, `[ -e "$SYSTEM/$1" ]`));
    for (const name of builds) placeFakeBun(join(home, "node_modules/@oven", name, "bin/bun"));
    const env = { SYSTEM: system, PATH: `${join(system, "tools")}:/usr/bin:/bin` };
    const { code, out } = start(["sh", script], { env });
    return code === 0 ? (out.split("/@oven/")[1]?.split("/")[0] ?? out) : "none";
  }

  const all = ["linux-x64", "linux-x64-baseline", "linux-x64-musl", "linux-aarch64", "linux-aarch64-musl"]
    .concat([
      "darwin-x64",
      "darwin-aarch64",
      "linux-x64-android",
      "linux-aarch64-android",
      "freebsd-x64",
      "windows-x64",
    ])
    .map((name) => `bun-${name}`);
  const glibc = "lib64/ld-linux-x86-64.so.2";
  const glibcArm = "lib/ld-linux-aarch64.so.1";
  const musl = "lib/ld-musl-x86_64.so.1";

  test.each([
    ["a glibc machine", "x86_64", [glibc], "bun-linux-x64"],
    ["an ARM machine", "aarch64", [glibcArm], "bun-linux-aarch64"],
    ["an Alpine machine", "x86_64", [musl, "etc/alpine-release"], "bun-linux-x64-musl"],
    ["an ARM Alpine machine", "aarch64", ["lib/ld-musl-aarch64.so.1"], "bun-linux-aarch64-musl"],
    ["Alpine with glibc emulation", "x86_64", [glibc, musl, "etc/alpine-release"], "bun-linux-x64-musl"],
    ["a glibc machine with musl tools", "x86_64", [glibc, musl], "bun-linux-x64"],
    ["a glibc machine that also loads ARM programs", "x86_64", [glibc, glibcArm], "bun-linux-x64"],
    ["an ARM machine that also loads x64 programs", "aarch64", [glibc, glibcArm], "bun-linux-aarch64"],
    ["an Intel Mac", "x86_64", ["usr/lib/dyld"], "bun-darwin-x64"],
    ["an ARM Mac", "arm64", ["usr/lib/dyld"], "bun-darwin-aarch64"],
    ["something unheard of", "riscv64", [], "none"],
  ] as const)("%s", (_, machine, files, expected) => {
    expect(choice(machine, files, all)).toBe(expected);
  });

  test("a build alone is taken where its loader is, and only there", () => {
    expect(choice("x86_64", [musl], ["bun-linux-x64"])).toBe("none");
    expect(choice("x86_64", [glibc], ["bun-linux-x64-musl"])).toBe("none");
    expect(choice("x86_64", [glibc, musl], ["bun-linux-x64-musl"])).toBe("bun-linux-x64-musl");
    expect(choice("x86_64", [glibc], ["bun-linux-x64-baseline"])).toBe("bun-linux-x64-baseline");
  });
});

test("the stand-in text is the one in the package that npm has", () => {
  const modules = join(import.meta.dir, "../../../node_modules");
  const text = readFileSync(join(modules, "bun/bin/bun.exe")).subarray(0, 50).toString("latin1");
  if (text.startsWith("\x7fELF")) return;
  expect(text).toStartWith(stubText.slice(0, 20));
});
