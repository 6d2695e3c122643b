/**
 * Runs one command and says what it took. It is a process of its own, small and fresh for every run: on Linux a child's
 * peak memory is never reported below its parent's, so a parent that holds results would hide the small ones.
 */
export interface Command {
  argv: string[];
  cwd: string;
  env: Record<string, string>;
}

export interface Shot {
  /** From before the spawn until after the exit. */
  ms: number;
  /** Largest resident size that any one process of the command had; at least about 30 MB, this process's own. */
  peakBytes: number;
  exit: number;
  /** The last part of stderr and stdout, for a failure's message. */
  said: string;
}

if (import.meta.main) {
  const { argv, cwd, env } = JSON.parse(await Bun.stdin.text()) as Command;
  const start = performance.now();
  const child = Bun.spawnSync(argv, { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const ms = performance.now() - start;
  const shot: Shot = {
    ms,
    peakBytes: child.resourceUsage.maxRSS,
    exit: child.exitCode,
    said: `${child.stdout}${child.stderr}`.slice(-2000),
  };
  console.log(JSON.stringify(shot));
}
