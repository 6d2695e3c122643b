/**
 * A real Postgres on a free loopback port and a unix socket, in a temporary folder, with scram passwords. Postgres refuses to
 * run as root, so tests that do run it as a user without privileges. It dies with the process that started it.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unprivileged } from "../needs.ts";
import { makeTemp, removeTree } from "../temp.ts";
import { postgresPrograms } from "./postgres-programs.ts";

export interface PostgresServer {
  port: number;
  /** The folder of its unix socket. */
  socket: string;
  /** Name of the superuser, and the password of every role that tests make. */
  user: string;
  password: string;
  /** The certificate of the authority that signed the server's; undefined where it speaks no TLS. */
  ca: string | undefined;
  /** Address of a database, with the password unless `without` it. */
  url(database: string, options?: { user?: string; without?: "password"; host?: string }): string;
  /** Runs statements with psql as the superuser, and gives what they print, without headings. Throws what psql says. */
  query(database: string, statements: string): string;
  /** Makes an empty database and gives its name. */
  createDatabase(): string;
  /** Process numbers of the server processes that work for clients of a database. */
  backends(database: string): number[];
  /** The postmaster's own process. */
  pid: number;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** With a certificate for `localhost`, and for no number. */
  tls?: boolean;
  /** Further settings, `name=value`. */
  settings?: readonly string[];
}

const user = "csp_admin";
const password = "p@ss:w/o%rd";

/** Starts one. Throws with the server's log where it does not answer within 20 seconds. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const programs = postgresPrograms();
  if (programs === undefined) throw new Error("postgres is not installed");
  const folder = makeTemp("csp-pg-");
  const data = join(folder, "data");
  const socket = join(folder, "s");
  const passwordFile = join(folder, "password");
  mkdirSync(socket);
  writeFileSync(passwordFile, password, { mode: 0o600 });
  const settings = [
    "listen_addresses=127.0.0.1",
    `unix_socket_directories=${socket}`,
    ..."fsync=off synchronous_commit=off full_page_writes=off max_connections=100 shared_buffers=32MB".split(" "),
    ...(options.settings ?? []),
  ];
  if (options.tls) {
    makeCertificates(folder);
    settings.push("ssl=on", `ssl_cert_file=${folder}/server.pem`, `ssl_key_file=${folder}/server.key`);
  }
  giveAway(folder);
  const initdb = [join(programs, "initdb"), "-D", data, "-U", user, "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
  try {
    run([...unprivileged, ...initdb, "--no-sync", "-E", "UTF8", "--locale=C"], folder);
  } catch (error) {
    removeTree(folder);
    throw error;
  }

  for (let attempt = 1; ; attempt++) {
    const port = freePort();
    const argv = [
      join(programs, "postgres"),
      "-D",
      data,
      ...settings.flatMap((each) => ["-c", each]),
      "-p",
      String(port),
    ];
    const child = Bun.spawn([...tied(), ...argv], {
      cwd: folder,
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(join(folder, "log")),
    });
    const query = (database: string, statements: string): string =>
      run([join(programs, "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statements], folder, {
        PGHOST: socket,
        PGPORT: String(port),
        PGUSER: user,
        PGPASSWORD: password,
      });
    const ready = [join(programs, "pg_isready"), "-q", "-h", socket, "-p", String(port)];
    const until = performance.now() + 20_000;
    while (child.exitCode === null && performance.now() < until) {
      if (spawnSync(ready[0] as string, ready.slice(1)).status === 0) break;
      await Bun.sleep(20);
    }
    if (child.exitCode !== null || performance.now() >= until) {
      child.kill("SIGKILL");
      await child.exited;
      if (attempt < 3) continue;
      const log = await Bun.file(join(folder, "log")).text();
      removeTree(folder);
      throw new Error(`postgres does not start: ${log.slice(-2000)}`);
    }
    let databases = 0;
    return {
      port,
      socket,
      user,
      password,
      ca: options.tls ? join(folder, "ca.pem") : undefined,
      url(database, { user: role = user, without, host = "127.0.0.1" } = {}) {
        const secret = without === "password" ? "" : `:${encodeURIComponent(password)}`;
        return `postgres://${role}${secret}@${host}:${port}/${database}`;
      },
      query,
      createDatabase() {
        const name = `store${++databases}`;
        query("postgres", `create database ${name}`);
        return name;
      },
      backends: (database) =>
        query("postgres", `select pid from pg_stat_activity where datname = '${database}'`)
          .split("\n")
          .filter((line) => line !== "")
          .map(Number),
      pid: child.pid,
      async stop() {
        child.kill("SIGQUIT");
        const late = setTimeout(() => child.kill("SIGKILL"), 5000);
        await child.exited;
        clearTimeout(late);
        removeTree(folder);
      },
    };
  }
}

/** A loopback port that nobody listened on a moment ago. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop(true);
  return listener.port;
}

/** Arguments in front of a server's command: without privileges, and ended with the tests however those end. */
export function tied(): string[] {
  if (Bun.which("setpriv") === null) return [...unprivileged];
  return unprivileged.length === 0
    ? ["setpriv", "--pdeathsig", "QUIT", "--"]
    : [...unprivileged.slice(0, -1), "--pdeathsig", "QUIT", "--"];
}

/** Gives a folder and the files in it to the user whom servers run as. */
export function giveAway(folder: string): void {
  if (unprivileged.length === 0) return;
  chownSync(folder, 65534, 65534);
  chmodSync(folder, 0o711);
  for (const name of readdirSync(folder)) chownSync(join(folder, name), 65534, 65534);
}

/** An authority `ca.pem`, and `server.pem` with `server.key`, signed by it for `localhost` and for no number. */
function makeCertificates(folder: string): void {
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const openssl = (...args: string[]) => run(["openssl", ...args], folder);
  openssl(
    "req",
    "-x509",
    ...ec,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=csp test authority",
    "-days",
    "2",
  );
  openssl("req", ...ec, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
  writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost\n");
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2"];
  openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", ...signed);
  chmodSync(join(folder, "server.key"), 0o600);
}

function run(argv: readonly string[], cwd: string, env: Record<string, string> = {}): string {
  const [program, ...rest] = argv;
  const { status, stdout, stderr } = spawnSync(program ?? "", rest, {
    cwd,
    encoding: "utf8",
    timeout: 30_000,
    env: { PATH: process.env.PATH ?? "", LC_ALL: "C", ...env },
  });
  if (status !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
  return stdout.trim();
}
