/** Whether git vouches for a project file. */
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Environment } from "./npmrc.ts";

/**
 * True where the file's bytes are the ones in the commit that is checked out. Asks git for the committed blob's id and
 * hashes the file here, so that no filter, hook or monitor of the repository's own configuration runs.
 * False also when git is missing or refuses the repository.
 */
export function isUnmodifiedInGit(file: string, env: Environment): boolean {
  const minimal: Record<string, string> = { LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0" };
  for (const name of ["PATH", "HOME", "XDG_CONFIG_HOME"]) {
    const value = env[name];
    if (value !== undefined) minimal[name] = value;
  }
  try {
    const answer = Bun.spawnSync(
      [
        "git",
        "--no-pager",
        "-c",
        "core.fsmonitor=false",
        "rev-parse",
        "--verify",
        "--quiet",
        `HEAD:./${basename(file)}`,
      ],
      { cwd: dirname(file), env: minimal, stdin: "ignore", stdout: "pipe", stderr: "ignore", timeout: 10_000 },
    );
    if (answer.exitCode !== 0) return false;
    const committed = answer.stdout.toString().trim();
    const bytes = readFileSync(file);
    // A checkout with `core.autocrlf` has other line ends than the commit.
    return [bytes, Buffer.from(bytes.toString("latin1").replaceAll("\r\n", "\n"), "latin1")].some(
      (content) => blobId(content, committed.length) === committed,
    );
  } catch {
    return false;
  }
}

function blobId(content: Buffer, idLength: number): string {
  const hash = new Bun.CryptoHasher(idLength === 64 ? "sha256" : "sha1");
  return hash.update(`blob ${content.length}\0`).update(content).digest("hex");
}
