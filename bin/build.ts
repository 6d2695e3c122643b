/** Builds dist: the program with its workers and hooks in one split bundle for Bun, and the hooks that Node loads. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const source = (path: string): string => join(root, "src", path);
const outdir = join(root, "dist");

/** Commander wants one small function of node:util, whose loading takes longer than all of csp's own start. */
const lightUtil: Bun.BunPlugin = {
  name: "light node:util",
  setup(build) {
    build.onLoad({ filter: /node_modules\/commander\/lib\/.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(
        /import \{ stripVTControlCharacters \} from ["']node:util["'];?/,
        "const stripVTControlCharacters = Bun.stripANSI;",
      ),
      loader: "js",
    }));
  },
};

const common = { outdir, minify: true } as const;
/** Node prints the source line of a hook that throws, so these stay readable. */
const readable = { outdir, minify: false } as const;
rmSync(outdir, { recursive: true, force: true });
/** What the start of csp loads by name, each bundled apart. */
const parts = ["program", "quick", "quick-move", "quick-return", "after-switch"];
const partsApart: Bun.BunPlugin = {
  name: "parts apart",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^\\./(?:${parts.join("|")})\\.ts$`) }, ({ path }) => ({
      path: path.replace(/\.ts$/, ".js"),
      external: true,
    }));
  },
};

const forBun = { ...common, naming: { entry: "[name].[ext]" }, target: "bun" } as const;
// Each of these is one file: every file more costs a start a third of a millisecond.
for (const path of ["cli/main.ts", "cli/quick.ts", "cli/quick-move.ts", "cli/quick-return.ts", "run/hook-bun.ts"]) {
  await Bun.build({ ...forBun, entrypoints: [source(path)], plugins: [partsApart] });
}
await Bun.build({
  ...forBun,
  entrypoints: [source("cli/program.ts"), source("cli/after-switch.ts"), source("tree/worker.ts")],
  splitting: true,
  // Read only for the rare allowlist that the quick reader leaves to it.
  external: ["yaml"],
  plugins: [lightUtil],
});
await Bun.build({
  ...readable,
  entrypoints: [source("run/hook-node.ts")],
  naming: { entry: "[name].cjs" },
  target: "node",
  format: "cjs",
});
await Bun.build({
  ...readable,
  entrypoints: [source("run/hook-node-loader.ts")],
  naming: { entry: "[name].mjs" },
  target: "node",
  format: "esm",
});
