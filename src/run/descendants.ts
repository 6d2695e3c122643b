/** The processes below one process, wherever they stand in process groups: a script may have made its own. */
import { readdirSync, readFileSync } from "node:fs";

/** A process; the start time tells it from a later one with the same number. */
export interface ProcessId {
  pid: number;
  started: string;
}

interface ProcessEntry extends ProcessId {
  parent: number;
}

/** All living processes below `pid`, itself included and first. */
export function processTree(pid: number): ProcessId[] {
  const all = listProcesses();
  const found = all.filter((entry) => entry.pid === pid);
  for (let next = 0; next < found.length; next++) {
    found.push(...all.filter((entry) => entry.parent === found[next]?.pid));
  }
  return found;
}

/** Those of the processes that still live. */
export function stillAlive(processes: readonly ProcessId[]): ProcessId[] {
  const alive = new Set(listProcesses().map((entry) => `${entry.pid} ${entry.started}`));
  return processes.filter((entry) => alive.has(`${entry.pid} ${entry.started}`));
}

function listProcesses(): ProcessEntry[] {
  return process.platform === "linux" ? fromProc() : fromPs();
}

function fromProc(): ProcessEntry[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // `pid (name) state ppid …`; the name may hold anything, so count from its last parenthesis.
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z") return [];
      return [{ pid: Number(name), parent: Number(fields[1]), started: fields[19] ?? "" }];
    } catch {
      return [];
    }
  });
}

function fromPs(): ProcessEntry[] {
  const { stdout } = Bun.spawnSync(["ps", "-A", "-o", "pid=,ppid=,lstart="], { env: { LC_ALL: "C" } });
  return stdout
    .toString()
    .split("\n")
    .flatMap((line) => {
      const match = /^\s*(\d+)\s+(\d+)\s+(.*\S)\s*$/.exec(line);
      return match ? [{ pid: Number(match[1]), parent: Number(match[2]), started: match[3] ?? "" }] : [];
    });
}
