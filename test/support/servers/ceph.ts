/**
 * A real S3: Ceph's gateway over one monitor and one storage daemon that keeps everything in memory, on free loopback ports, in
 * a temporary folder. It is up in about ten seconds, so tests of one process share one. It dies with the process that started it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { signedHeaders } from "../../../src/store/s3/sign.ts";
import { makeTemp, removeTree } from "../temp.ts";
import { freePort, giveAway, tied } from "./postgres.ts";

export interface CephServer {
  /** `http://127.0.0.1:<port>` */
  endpoint: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** Environment for whoever uses it: endpoint and credentials, and nothing of this machine's own. */
  env: Record<string, string>;
  /** Makes an empty bucket and gives its name. */
  createBucket(): Promise<string>;
  /** Runs radosgw-admin and gives what it prints. Throws what it says. */
  admin(...args: string[]): string;
  /** Process numbers of its daemons, the gateway last. */
  pids: readonly number[];
  stop(): Promise<void>;
}

const programs = ["ceph-mon", "ceph-osd", "ceph", "monmaptool", "radosgw", "radosgw-admin"];
const patience = 60_000;

/** True where all of Ceph that is needed is installed, and running servers for tests is not ruled out. */
export function hasCeph(): boolean {
  return process.env.CSP_TEST_SERVERS !== "0" && programs.every((name) => Bun.which(name) !== null);
}

let shared: Promise<CephServer> | undefined;

/** The one server of this process, started when first asked for and stopped when the process ends. */
export function sharedCeph(): Promise<CephServer> {
  shared ??= startCeph();
  return shared;
}

/** Starts one of its own, in at most two attempts: a port may be taken meanwhile. Throws with the end of its logs. */
export async function startCeph(): Promise<CephServer> {
  return attempt().catch(attempt);
}

async function attempt(): Promise<CephServer> {
  const folder = makeTemp("csp-ceph-");
  const running: Subprocess[] = [];
  const guard = guardian(folder);
  const stop = async (): Promise<void> => {
    // It holds nothing but what is in memory: there is nothing to end gently for.
    for (const child of running.toReversed()) child.kill("SIGKILL");
    await Promise.all(running.map((child) => child.exited));
    guard.kill("SIGKILL");
    removeTree(folder);
  };
  try {
    return { ...(await start(folder, running)), stop };
  } catch (error) {
    const logs = running.map((_, index) => readFileSync(join(folder, `${index}.log`), "utf8").slice(-1500));
    await stop();
    throw new Error(`ceph does not start: ${error instanceof Error ? error.message : error}\n${logs.join("\n---\n")}`);
  }
}

/** Removes the folder once this process is gone, however it ended; the daemons go by themselves then. */
function guardian(folder: string): Subprocess {
  const script = 'cat > /dev/null; until rm -rf "$0" 2> /dev/null; do sleep 0.2; done';
  const child = Bun.spawn(["sh", "-c", script, folder], {
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  child.unref();
  return child;
}

async function start(folder: string, running: Subprocess[]): Promise<Omit<CephServer, "stop">> {
  const [monitor, port] = [freePort(), freePort()];
  const cluster = crypto.randomUUID();
  const file = join(folder, "ceph.conf");
  for (const name of ["mon", "osd", "rgw"]) mkdirSync(join(folder, name));
  writeFileSync(file, configuration(folder, cluster, monitor, port));
  giveAway(folder);

  const run = (program: string, ...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(
      tied()[0] ?? "env",
      [...tied().slice(1), program, "-c", file, ...args],
      {
        cwd: folder,
        encoding: "utf8",
        timeout: 30_000,
        killSignal: "SIGKILL",
      },
    );
    if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.slice(-1000)}`);
    return stdout;
  };
  const daemon = (program: string, ...args: string[]): void => {
    const log = Bun.file(join(folder, `${running.length}.log`));
    const argv = [...tied(), program, "-c", file, "-f", ...args];
    running.push(Bun.spawn(argv, { cwd: folder, stdin: "ignore", stdout: log, stderr: log }));
  };
  const until = async (what: string, ready: () => boolean | Promise<boolean>): Promise<void> => {
    for (const end = performance.now() + patience; !(await ready()); await Bun.sleep(50)) {
      if (performance.now() > end) throw new Error(`${what} is not up after ${patience} ms`);
      if (running.some((child) => child.exitCode !== null)) throw new Error(`a daemon ended before ${what} was up`);
    }
  };

  run(
    "monmaptool",
    "--create",
    "--clobber",
    "--addv",
    "a",
    `[v1:127.0.0.1:${monitor}]`,
    "--fsid",
    cluster,
    join(folder, "monmap"),
  );
  run("ceph-mon", "-i", "a", "--mkfs", "--monmap", join(folder, "monmap"));
  daemon("ceph-mon", "-i", "a");
  const storage = crypto.randomUUID();
  run("ceph", "osd", "new", storage);
  // Otherwise the daemon does it as it starts, and now and then too early: it is told "wrong fsid" and ends.
  run("ceph", "osd", "crush", "add", "osd.0", "1", "host=a", "root=default");
  run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", storage);
  daemon("ceph-osd", "-i", "0");
  await until("the storage daemon", () => / 1 up/.test(run("ceph", "osd", "stat")));
  daemon("radosgw", "-n", "client.rgw");
  const endpoint = `http://127.0.0.1:${port}`;
  await until("the gateway", () =>
    fetch(endpoint, { proxy: false } as unknown as BunFetchRequestInit).then(
      () => true,
      () => false,
    ),
  );
  const keys = { accessKeyId: "CSPTESTKEY", secretAccessKey: "csp/test+secret" };
  const secret = ["--access-key", keys.accessKeyId, "--secret-key", keys.secretAccessKey];
  run("radosgw-admin", "user", "create", "--uid=csp", "--display-name=csp", ...secret);
  let buckets = 0;
  return {
    endpoint,
    ...keys,
    env: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_REGION: "us-east-1",
    },
    admin: (...args) => run("radosgw-admin", ...args),
    pids: running.map(({ pid }) => pid),
    async createBucket() {
      const name = `csp-test-${++buckets}`;
      const url = new URL(`${endpoint}/${name}`);
      const scope = { region: "us-east-1", service: "s3", at: Date.now() } as const;
      const headers = signedHeaders({ method: "PUT", url, headers: {}, body: undefined }, keys, scope);
      const { status } = await fetch(url, { method: "PUT", headers });
      if (status !== 200) throw new Error(`making the bucket ${name} was answered with ${status}`);
      return name;
    },
  };
}

function configuration(folder: string, cluster: string, monitor: number, port: number): string {
  return `[global]
fsid = ${cluster}
monmap = ${folder}/monmap
mon host = [v1:127.0.0.1:${monitor}]
auth cluster required = none
auth service required = none
auth client required = none
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
ms bind msgr2 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
run dir = ${folder}
log to file = false
log to stderr = true
err to stderr = true
pid file =
admin socket =
crash dir = ${folder}
[mon]
mon data = ${folder}/mon
mon data avail crit = 1
mon data avail warn = 2
[osd]
osd class update on start = false
osd crush update on start = false
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd max object name len = 256
osd max object namespace len = 64
osd class load list = *
osd class default list = *
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw thread pool size = 32
rgw data = ${folder}/rgw
rgw gc obj min wait = 1
debug rgw = 0
`;
}
