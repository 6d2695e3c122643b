/** A network namespace from which nothing can be reached but some ports of this machine's loopback. Needs root. */
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { makeTemp, removeTree } from "./temp.ts";

export interface Island {
  /** In front of a command that is to run there. */
  prefix: readonly string[];
  stop(): Promise<void>;
}

/** True where one can be made. */
export function hasIslands(): boolean {
  const root = process.platform === "linux" && process.getuid?.() === 0;
  const works = root && Bun.spawnSync(["unshare", "-n", "ip", "link", "set", "lo", "up"]).exitCode === 0;
  return works && Bun.which("nsenter") !== null;
}

/** Makes one; the ports are the same inside and outside. */
export async function createIsland(ports: readonly number[]): Promise<Island> {
  const folder = makeTemp("csp-island-");
  const servers = await Promise.all(ports.map((port) => bridge(join(folder, String(port)), port)));
  const relay = join(import.meta.dir, "island-relay.ts");
  const argv = ["unshare", "-n", "--", process.execPath, relay, folder, ...ports.map(String)];
  const child = Bun.spawn(argv, { cwd: folder, stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
    for (const server of servers) server.close();
    removeTree(folder);
  };
  const { value } = await child.stdout.getReader().read();
  if (value !== undefined) return { prefix: ["nsenter", "-n", "-t", String(child.pid), "--"], stop };
  await stop();
  throw new Error("a network namespace cannot be made");
}

function bridge(path: string, port: number): Promise<Server> {
  const server = createServer((inner) => {
    const outer = connect(port, "127.0.0.1");
    inner.pipe(outer).pipe(inner);
    for (const socket of [inner, outer]) socket.on("error", () => void [inner, outer].map((each) => each.destroy()));
  });
  return new Promise((done) => server.listen(path, () => done(server)));
}
