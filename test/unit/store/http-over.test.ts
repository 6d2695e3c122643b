/** `csp serve` over stores on real servers keeps the contract, as it does over memory and a directory (http.test.ts). */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { openPostgresStore } from "../../../src/store/postgres.ts";
import { openS3Store } from "../../../src/store/s3.ts";
import type { Store } from "../../../src/store/store.ts";
import { meets } from "../../support/needs.ts";
import { type CephServer, hasCeph, sharedCeph } from "../../support/servers/ceph.ts";
import { hasRegistry, type Registry, startRegistry } from "../../support/servers/docker-registry.ts";
import { startPostgres } from "../../support/servers/postgres.ts";
import { serveOver } from "../../support/servers/serve.ts";
import { conformance, type Open, type Traits } from "./conformance.ts";
import { openAt } from "./oci-fixture.ts";

const options = { env: {}, home: undefined, userAgent: "csp/test" };
let stores = 0;

/** Each case with a server of its own over a fresh store. */
function served(open: (pageSize: number | undefined) => Promise<Store> | Store): Open {
  return async ({ pageSize }) => {
    const server = await serveOver(await open(pageSize), { limits: pageSize === undefined ? {} : { pageSize } });
    const clients: Store[] = [];
    const client = (): Store => {
      const next = server.client();
      clients.push(next);
      return next;
    };
    return {
      store: client(),
      reopen: async () => client(),
      async close() {
        for (const each of clients) await each.close();
        await server.stop();
        if (server.defects.length > 0) throw server.defects[0];
      },
    };
  };
}

function without(name: string, need: string): void {
  describe(`${name} is a store`, () => test.skip(`all of it (needs ${need})`, () => {}));
}

const overS3 = "http, csp serve over s3 (Ceph)";
if (hasCeph()) {
  let ceph: CephServer;
  let bucket = "";
  beforeAll(async () => {
    ceph = await sharedCeph();
    bucket = await ceph.createBucket();
  }, 120_000);
  const env = (): Record<string, string> => ({ ...ceph.env, AWS_EC2_METADATA_DISABLED: "true" });
  conformance(
    overS3,
    served((pageSize) => openS3Store(`s3://${bucket}/served-${++stores}`, { ...options, env: env() }, pageSize)),
  );
} else without(overS3, "ceph");

const overPostgres = "http, csp serve over postgres";
if (meets("postgres")) {
  const server = await startPostgres();
  afterAll(server.stop);
  const url = server.url(server.createDatabase());
  conformance(
    overPostgres,
    served(() => openPostgresStore(`${url}?schema=served_${++stores}`, options)),
  );
} else without(overPostgres, "postgres");

const overOci = "http, csp serve over oci";
if (hasRegistry()) {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());
  const traits: Traits = { writers: "one", deletes: false, nonces: "content" };
  conformance(
    overOci,
    served(() => openAt(registry.newAddress())),
    traits,
  );
} else without(overOci, "docker-registry");
