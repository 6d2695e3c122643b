/** A real pgbouncer in front of a Postgres, in transaction mode: every transaction may meet another server process. */
import { mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../temp.ts";
import { freePort, giveAway, type PostgresServer, tied } from "./postgres.ts";

export interface Pgbouncer {
  port: number;
  /** Address of a database through the pooler. */
  url(database: string): string;
  stop(): Promise<void>;
}

/** `size`: server connections a database and role get at most. Throws with its log where it does not answer within 10 seconds. */
export async function startPgbouncer(server: PostgresServer, { size = 3 } = {}): Promise<Pgbouncer> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "csp-bouncer-"));
  const port = freePort();
  const settings = [
    "[databases]",
    `* = host=127.0.0.1 port=${server.port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = scram-sha-256",
    `auth_file = ${folder}/users`,
    "pool_mode = transaction",
    `default_pool_size = ${size}`,
    "max_client_conn = 200",
  ];
  writeFileSync(join(folder, "settings.ini"), `${settings.join("\n")}\n`);
  writeFileSync(join(folder, "users"), `"${server.user}" "${server.password}"\n`, { mode: 0o600 });
  giveAway(folder);
  const child = Bun.spawn([...tied(), Bun.which("pgbouncer") ?? "pgbouncer", join(folder, "settings.ini")], {
    cwd: folder,
    stdin: "ignore",
    stdout: "ignore",
    stderr: Bun.file(join(folder, "log")),
  });
  const until = performance.now() + 10_000;
  while (!(await answers(port))) {
    if (child.exitCode === null && performance.now() < until) {
      await Bun.sleep(20);
      continue;
    }
    child.kill("SIGKILL");
    await child.exited;
    const log = await Bun.file(join(folder, "log")).text();
    removeTree(folder);
    throw new Error(`pgbouncer does not start: ${log.slice(-2000)}`);
  }
  return {
    port,
    url: (database) => `postgres://${server.user}:${encodeURIComponent(server.password)}@127.0.0.1:${port}/${database}`,
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
      removeTree(folder);
    },
  };
}

async function answers(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
