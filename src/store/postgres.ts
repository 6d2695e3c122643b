/**
 * A store in a Postgres database, in a schema of its own. One statement is one transaction, nothing is kept in a session and
 * nothing is prepared: a pooler may stand in between.
 */
import { parsePostgresAddress } from "./postgres/address.ts";
import { createPostgresBlobs } from "./postgres/blobs.ts";
import { postgresCapabilities } from "./postgres/capabilities.ts";
import { createPostgresClient } from "./postgres/client.ts";
import { createConnections } from "./postgres/connections.ts";
import { findPassword } from "./postgres/password.ts";
import { createPostgresRoot } from "./postgres/root.ts";
import { tlsOf } from "./postgres/tls.ts";
import { type Capabilities, randomNonce, type Store, type StoreOptions } from "./store.ts";

const defaultLimits = { idleMs: 30_000, totalMs: 600_000 };

/**
 * Opens `postgres://user@host:5432/database?schema=csp`. No request is made. Throws CSP_STORE_ADDRESS and CSP_STORE_SETTINGS.
 * `pageSize`: how many objects a page of a listing has at most.
 */
export async function openPostgresStore(
  address: string,
  options: StoreOptions,
  { pageSize = 1000 } = {},
): Promise<Store> {
  const target = parsePostgresAddress(address, options.env);
  const { password, note } = await findPassword(target, options);
  const connections = createConnections({
    address: target,
    password,
    tls: await tlsOf(target, options),
    limits: options.timeouts ?? defaultLimits,
    signal: options.signal,
  });
  const client = createPostgresClient(connections, target, note);
  const closed = new AbortController();
  const ended = options.signal === undefined ? closed.signal : AbortSignal.any([closed.signal, options.signal]);
  let capabilities: Promise<Capabilities> | undefined;
  return {
    kind: "postgres",
    address: target.text,
    blobs: createPostgresBlobs(client, pageSize),
    root: createPostgresRoot(client, ended),
    capabilities() {
      capabilities ??= postgresCapabilities(client).catch((error: unknown) => {
        capabilities = undefined;
        throw error;
      });
      return capabilities;
    },
    nonce: randomNonce,
    async close() {
      closed.abort();
      await connections.close();
    },
  };
}
