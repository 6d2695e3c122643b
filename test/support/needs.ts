/**
 * What some tests need of the machine. A test whose need is not met is skipped under a name that says why, so that the
 * list of skipped tests at the end of a run is a list of reasons.
 */

import { test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { hasLoopDisks } from "./loop-disk.ts";
import { postgresPrograms } from "./servers/postgres-programs.ts";

const repository = join(import.meta.dir, "../..");

/** Arguments in front of a command that make it run without privileges; empty where the tests have none. */
export const unprivileged: readonly string[] =
  process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"] : [];

const checks = {
  root: () => process.getuid?.() === 0,
  linux: () => process.platform === "linux",
  node: () => Bun.which("node") !== null,
  npm: () => Bun.which("npm") !== null,
  strace: () => Bun.which("strace") !== null,
  /** File systems in files can be made and mounted. */
  loop: hasLoopDisks,
  git: () => Bun.which("git") !== null,
  postgres: () => postgresPrograms() !== undefined,
  pgbouncer: () => Bun.which("pgbouncer") !== null,
  /** A package registry that answers; set by the one who starts the tests. */
  network: () => process.env.CSP_TEST_NETWORK === "1",
  /** Commands can be run as a user whom file modes bind, and who can read this checkout. */
  user: () => {
    const [program, ...rest] = [...unprivileged, "test", "-r", join(repository, "package.json")];
    return spawnSync(program ?? "test", rest, { stdio: "ignore" }).status === 0;
  },
} as const;

export type Need = keyof typeof checks;

/** True for a word that `meets` knows. */
export function isNeed(word: string): word is Need {
  return Object.hasOwn(checks, word);
}

/** True where the machine has it. */
export function meets(need: Need): boolean {
  return checks[need]();
}

/** Declares a test that is skipped, by a name that says so, where one of the needs is not met. */
export function testNeeding(
  needs: readonly Need[],
  name: string,
  body: () => void | Promise<void>,
  timeout?: number,
): void {
  const missing = needs.filter((need) => !meets(need));
  if (missing.length > 0) test.skip(`${name} (needs ${missing.join(", ")})`, body);
  else test(name, body, timeout);
}
