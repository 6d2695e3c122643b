/** Requests to the tables of one store, which may not be there yet. */

import type { PostgresAddress } from "./address.ts";
import type { Connection, Connections } from "./connections.ts";
import type { FailureContext } from "./failures.ts";
import { createStore, hasStore, table } from "./schema.ts";

export interface PostgresClient {
  /** The address without the password. */
  address: string;
  target: PostgresAddress;
  /** Names of the tables, as they stand in statements. */
  tables: { meta: string; blob: string; root: string };
  /** Runs `work` on a connection of its own, within the limits of time. Throws what a user can understand. */
  use<T>(need: FailureContext["need"], work: (connection: Connection) => Promise<T>): Promise<T>;
  /** The same, or undefined where there is no store yet; a reader never makes one. */
  useIfThere<T>(need: "read" | "delete", work: (connection: Connection) => Promise<T>): Promise<T | undefined>;
  /** Makes the tables where there are none; one request at the first call, none at later ones. */
  prepareToWrite(): Promise<void>;
  /** The store was seen by a request that looked at its format itself. */
  seen(): void;
}

export function createPostgresClient(
  connections: Connections,
  target: PostgresAddress,
  passwordNote: string | undefined,
): PostgresClient {
  const { text: address, schema } = target;
  const use: PostgresClient["use"] = (need, work) => connections.use({ address, target, passwordNote, need }, work);
  /** True once the store was seen, with a format that this csp knows. */
  let there = false;
  let looking: Promise<boolean> | undefined;
  let making: Promise<void> | undefined;

  const isThere = async (): Promise<boolean> => {
    if (there) return true;
    looking ??= use("read", ({ sql }) => hasStore(sql, schema, address)).finally(() => {
      looking = undefined;
    });
    if (await looking) there = true;
    return there;
  };

  return {
    address,
    target,
    tables: { meta: table(schema, "meta"), blob: table(schema, "blob"), root: table(schema, "root") },
    use,
    useIfThere: async (need, work) => ((await isThere()) ? await use(need, work) : undefined),
    async prepareToWrite() {
      if (await isThere()) return;
      making ??= use("create", ({ sql }) => createStore(sql, schema, address)).finally(() => {
        making = undefined;
      });
      await making;
      there = true;
    },
    seen() {
      there = true;
    },
  };
}
