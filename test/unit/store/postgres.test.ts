/** Postgres is a store: directly, and through a pooler that gives every transaction another session. */
import { afterAll, describe, test } from "bun:test";
import { openPostgresStore } from "../../../src/store/postgres.ts";
import { meets } from "../../support/needs.ts";
import { startPgbouncer } from "../../support/servers/pgbouncer.ts";
import { type PostgresServer, startPostgres } from "../../support/servers/postgres.ts";
import { conformance, type Open } from "./conformance.ts";

const options = { env: {}, home: undefined, userAgent: "csp-test" };

let schemas = 0;

/** Opens stores in schemas of their own, through the server itself or a pooler. */
function openAt(server: PostgresServer, database: string, url: string): Open {
  return async ({ pageSize }) => {
    const schema = `case_${++schemas}`;
    const address = `${url}?schema=${schema}`;
    const store = await openPostgresStore(address, options, pageSize === undefined ? {} : { pageSize });
    const clients = [store];
    return {
      store,
      async reopen() {
        const client = await openPostgresStore(address, options, pageSize === undefined ? {} : { pageSize });
        clients.push(client);
        return client;
      },
      async litter() {
        const names = ["'blobs/x'", "'root/1'", "'blobs/ 🐟'", "''", "repeat('x', 2000)", "E'blobs/a\\nb'"];
        const rows = names.map((name) => `(${name}, 0, 3, 'abc')`);
        server.query(database, `insert into ${schema}.blob values ${rows.join(", ")}`);
      },
      async close() {
        await Promise.all(clients.map((client) => client.close()));
      },
    };
  };
}

if (meets("postgres")) {
  const server = await startPostgres();
  afterAll(server.stop);
  const database = server.createDatabase();
  conformance("postgres", openAt(server, database, server.url(database)));
  if (meets("pgbouncer")) {
    const pooler = await startPgbouncer(server);
    afterAll(pooler.stop);
    conformance("postgres behind pgbouncer", openAt(server, database, pooler.url(database)));
  } else {
    describe("postgres behind pgbouncer is a store", () => test.skip("all of it (needs pgbouncer)", () => {}));
  }
} else {
  describe("postgres is a store", () => test.skip("all of it (needs postgres)", () => {}));
}
