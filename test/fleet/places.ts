/** Stores to act on: directly, and as a client that goes through a gate. */
import type { StoreKey } from "../../src/core/store-key.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";
import { type GateKeeper, startProxy } from "../support/proxy.ts";
import { sharedCeph } from "../support/servers/ceph.ts";
import { startRegistry } from "../support/servers/docker-registry.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { serveOver } from "../support/servers/serve.ts";
import { http, postgres } from "../support/wires.ts";
import type { World } from "./world.ts";

/** Everything that a store holds, but its history. */
export interface Contents {
  root: string;
  objects: ReadonlyMap<StoreKey, Uint8Array>;
}

export interface Place {
  /** For those who go beside the gate. */
  store: Store;
  /** For those who go through it. */
  address: string;
  stop(): Promise<void>;
}

/** Makes a store with these contents. */
export interface Kind {
  name: string;
  place(gate: GateKeeper, contents: Contents | undefined): Promise<Place>;
  stop(): Promise<void>;
}

export async function contentsOf(store: Store): Promise<Contents> {
  const state = await store.root.read();
  if (typeof state !== "object") throw new Error("an empty store");
  const objects = new Map<StoreKey, Uint8Array>();
  for await (const page of store.blobs.list()) {
    for (const { key, size } of page) objects.set(key, await store.blobs.get(key, { maxBytes: size }));
  }
  return { root: state.text, objects };
}

async function fill(store: Store, contents: Contents | undefined): Promise<Store> {
  if (contents === undefined) return store;
  await Promise.all([...contents.objects].map(([key, bytes]) => store.blobs.put(key, bytes)));
  if ((await store.root.swap(undefined, contents.root)) === undefined) throw new Error("the store is not new");
  return store;
}

/** A client of a store. */
export function client(world: World, address: string): Promise<Store> {
  return openStore(address, { env: world.env, home: undefined, userAgent: "csp/0.0.0-fleet" });
}

/** A directory; the gate leads to `csp serve` over it. */
export function served(world: World): Kind {
  return {
    name: "csp serve over a directory",
    async place(gate, contents) {
      const directory = world.place();
      const store = await fill(await client(world, directory), contents);
      const server = await serveOver(await client(world, directory), { limits: { drainMs: 10 } });
      const proxy = await startProxy(gate, Number(new URL(server.url).port), http);
      return {
        store,
        address: `http://127.0.0.1:${proxy.port}`,
        async stop() {
          proxy.stop();
          await server.stop();
          if (server.defects.length > 0) throw new Error(`the server met ${server.defects.join(", ")}`);
        },
      };
    },
    async stop() {},
  };
}

/** A repository of a registry. There is one writer at a time. */
export async function inRegistry(world: World): Promise<Kind> {
  const server = await startRegistry();
  return {
    name: "a registry",
    async place(gate, contents) {
      const address = server.newAddress();
      const own = Number(new URL(address.replace("oci:", "http:")).port);
      const proxy = await startProxy(gate, own, http);
      const store = await fill(await client(world, address), contents);
      return { store, address: address.replace(`:${own}/`, `:${proxy.port}/`), stop: async () => proxy.stop() };
    },
    stop: () => server.stop(),
  };
}

/** A prefix in a bucket of Ceph's. Whoever goes there needs the world's environment from now on. */
export async function inCeph(world: World): Promise<Kind> {
  const server = await sharedCeph();
  const { AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "" } = server.env;
  Object.assign(world.env, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY });
  const bucket = await server.createBucket();
  let count = 0;
  return {
    name: "Ceph",
    async place(gate, contents) {
      const prefix = `place-${++count}`;
      const address = (port: number | string): string =>
        `s3://${bucket}/${prefix}?endpoint=http://127.0.0.1:${port}&region=us-east-1&pathStyle=true`;
      const own = Number(new URL(server.endpoint).port);
      const proxy = await startProxy(gate, own, http);
      const store = await fill(await client(world, address(own)), contents);
      return { store, address: address(proxy.port), stop: async () => proxy.stop() };
    },
    // It is shared, and ends with this process.
    async stop() {},
  };
}

/** A database of Postgres. Whoever goes there needs the world's environment from now on. */
export async function inPostgres(world: World): Promise<Kind> {
  const server = await startPostgres();
  Object.assign(world.env, { PGPASSWORD: server.password, PGSSLMODE: "disable" });
  return {
    name: "Postgres",
    async place(gate, contents) {
      const own = new URL(server.url(server.createDatabase(), { without: "password" }));
      const proxy = await startProxy(gate, server.port, postgres);
      const store = await fill(await client(world, own.href), contents);
      const through = own.href.replace(`:${server.port}/`, `:${proxy.port}/`);
      return {
        store,
        address: through,
        async stop() {
          proxy.stop();
          await store.close();
        },
      };
    },
    stop: () => server.stop(),
  };
}
