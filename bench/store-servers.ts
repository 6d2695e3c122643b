/** The stores that are measured: a directory, `csp serve` over it, and real servers where they are installed. */
import { join } from "node:path";
import { hasCeph, startCeph } from "../test/support/servers/ceph.ts";
import { startPostgres } from "../test/support/servers/postgres.ts";
import { postgresPrograms } from "../test/support/servers/postgres-programs.ts";
import type { Command } from "./shot.ts";

export interface MeasuredStore {
  /** As the tables call it. */
  name: string;
  address: string;
  /** What commands need in their environment to use it. */
  env: Record<string, string>;
}

export interface MeasuredStores {
  all: readonly MeasuredStore[];
  directory: MeasuredStore;
  /** Real S3, where it is installed. */
  s3: (MeasuredStore & { endpoint: string; bucket: string }) | undefined;
  stop(): Promise<void>;
}

/** Starts what is installed. `serve` is the command that serves an address on a free port of this machine. */
export async function startStores(work: string, serve: (address: string) => Command): Promise<MeasuredStores> {
  const stops: (() => unknown)[] = [];
  const directory = { name: "directory", address: `file:${join(work, "store")}`, env: {} };
  const all: MeasuredStore[] = [directory];
  let s3: MeasuredStores["s3"];
  const { argv, cwd, env } = serve(directory.address);
  const server = Bun.spawn(argv, { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  stops.push(() => server.kill());
  all.push({ name: "csp serve", address: await addressOf(server.stdout), env: {} });
  if (hasCeph()) {
    const ceph = await startCeph();
    stops.push(() => ceph.stop());
    const bucket = await ceph.createBucket();
    s3 = { name: "S3 (Ceph)", address: `s3://${bucket}/csp`, env: ceph.env, endpoint: ceph.endpoint, bucket };
    all.push(s3);
  }
  if (postgresPrograms() !== undefined) {
    const postgres = await startPostgres();
    stops.push(() => postgres.stop());
    all.push({ name: "Postgres", address: postgres.url(postgres.createDatabase()), env: {} });
  }
  return {
    all,
    directory,
    s3,
    async stop() {
      for (const stop of stops.toReversed()) await stop();
    },
  };
}

/** The address that the server says it listens on. */
async function addressOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    text += decoder.decode(value, { stream: true });
    const address = /http:\/\/127\.0\.0\.1:[1-9][0-9]*/.exec(text)?.[0];
    if (address !== undefined) {
      // What it says later must not fill the pipe.
      (async () => {
        while (!(await reader.read()).done);
      })();
      return address;
    }
    if (done) throw new Error(`csp serve did not start: ${text}`);
  }
}
