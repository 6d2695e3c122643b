/** A repository of a real registry is a store: open, with passwords, with tokens. */
import { afterAll, describe, test } from "bun:test";
import { openOciStore } from "../../../src/store/oci.ts";
import { hasRegistry, type Registry, startRegistry } from "../../support/servers/docker-registry.ts";
import { conformance, type Open, type Traits } from "./conformance.ts";

const traits: Traits = { writers: "one", deletes: false, nonces: "content" };

function openAt(registry: Registry, env: Record<string, string> = {}): Open {
  return async ({ pageSize }) => {
    const address = registry.newAddress();
    const open = async () =>
      openOciStore(
        address,
        { env, home: undefined, userAgent: "csp/test" },
        { settleMs: 2, ...(pageSize === undefined ? {} : { pageSize }) },
      );
    const clients = [await open()];
    return {
      store: clients[0] as Awaited<ReturnType<typeof open>>,
      async reopen() {
        const client = await open();
        clients.push(client);
        return client;
      },
      async close() {
        for (const client of clients) await client.close();
      },
    };
  };
}

if (hasRegistry()) {
  const open = await startRegistry();
  afterAll(open.stop);
  conformance("oci", openAt(open), traits);

  const basic = await startRegistry({ auth: "basic" });
  afterAll(basic.stop);
  conformance("oci with passwords", openAt(basic, basic.env("writer")), traits);

  if (Bun.which("openssl") !== null) {
    const tokens = await startRegistry({ auth: "token" });
    afterAll(tokens.stop);
    conformance("oci with tokens", openAt(tokens, tokens.env("writer")), traits);
  } else {
    describe("oci with tokens is a store", () => test.skip("all of it (needs openssl)", () => {}));
  }
} else {
  describe("oci is a store", () => test.skip("all of it (needs docker-registry)", () => {}));
}
