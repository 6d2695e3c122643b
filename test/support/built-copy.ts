/**
 * A built copy of csp in a directory of its own, made from the same sources by the same build. Others may build meanwhile,
 * and a test may take one line of it away, to show that it would notice.
 */
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const repository = join(import.meta.dir, "../..");

/** A text of one source that is replaced. */
export interface SourceChange {
  /** From the top of the project. */
  file: string;
  /** Stands there exactly once. */
  from: string;
  to: string;
}

export interface BuiltCopy {
  /** The launcher. */
  csp: string;
  /** Bundles another program with the copy's sources and gives its path; its place is from the top of the project. */
  bundle(entry: string): Promise<string>;
}

/** Builds a copy in a directory that is there and empty. Throws where a change does not fit. */
export function buildCopy(directory: string, changes: readonly SourceChange[] = []): BuiltCopy {
  for (const name of ["src", "bin", "package.json"])
    cpSync(join(repository, name), join(directory, name), { recursive: true });
  symlinkSync(join(repository, "node_modules"), join(directory, "node_modules"));
  for (const { file, from, to } of changes) {
    const text = readFileSync(join(directory, file), "utf8");
    if (text.split(from).length !== 2) throw new Error(`${file} does not hold exactly once: ${from}`);
    writeFileSync(
      join(directory, file),
      text.replace(from, () => to),
    );
  }
  const build = spawnSync(process.execPath, [join(directory, "bin/build.ts")], { encoding: "utf8" });
  if (build.status !== 0) throw new Error(`the copy cannot be built: ${build.stderr}`);
  return {
    csp: join(directory, "bin/csp"),
    async bundle(entry) {
      cpSync(join(repository, dirname(entry)), join(directory, dirname(entry)), { recursive: true });
      const outdir = join(directory, "dist");
      await Bun.build({ entrypoints: [join(directory, entry)], outdir, target: "bun", naming: "[name].[ext]" });
      return join(outdir, basename(entry).replace(/\.ts$/, ".js"));
    },
  };
}
