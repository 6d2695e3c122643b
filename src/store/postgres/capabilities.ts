/**
 * What a role may do with the root of a store in Postgres; the server knows it without being tried. Who may put or delete objects
 * is another matter: a collector has no need to put.
 */
import { badAnswer } from "../failures.ts";
import type { Capabilities } from "../store.ts";
import type { PostgresClient } from "./client.ts";

const query = `
select pg_is_in_recovery() as standby,
  current_setting('transaction_read_only') = 'on' as read_only,
  has_database_privilege(current_database(), 'create') as new_schema,
  (select has_schema_privilege(oid, 'create') and has_schema_privilege(oid, 'usage') from pg_namespace where nspname = $1) as new_tables,
  (select has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert') and has_table_privilege(c.oid, 'update')
    from pg_class c join pg_namespace s on s.oid = c.relnamespace where s.nspname = $1 and c.relname = 'root') as write`;

type Answer = Readonly<Record<"standby" | "read_only" | "new_schema" | "new_tables" | "write", boolean | null>>;

export async function postgresCapabilities(client: PostgresClient): Promise<Capabilities> {
  const { user, schema } = client.target;
  const rows = await client.use("read", async ({ sql }): Promise<readonly Answer[]> => {
    return await sql.unsafe(query, [schema]);
  });
  const [answer] = rows;
  if (answer === undefined) throw badAnswer(client.address, "does not say what may be done");
  const none = (why: string): Capabilities => ({ writers: "none", why });
  if (answer.standby !== false) return none("the server is a standby, which can only be read");
  if (answer.read_only !== false) return none("transactions are read-only there");
  const may = answer.write ?? answer.new_tables ?? answer.new_schema;
  if (may === true) return { writers: "many" };
  if (answer.write !== null) return none(`the role ${user} may only read`);
  return none(`there are no tables yet, and the role ${user} may not make them in the schema ${schema}`);
}
