/** Stores behind `csp serve` keep the contract. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { openFileStore } from "../../../src/store/file.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import type { Store } from "../../../src/store/store.ts";
import { serveOver } from "../../support/servers/serve.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { conformance, type Open, type Opened } from "./conformance.ts";
import { bytesOf } from "./objects.ts";

/** Clients of a server over the store; `clean` runs last. */
async function opened(store: Store, pageSize: number | undefined, clean: () => void): Promise<Opened> {
  const served = await serveOver(store, { limits: pageSize === undefined ? {} : { pageSize }, closed: true });
  const clients: Store[] = [];
  const client = (): Store => {
    const next = served.client();
    clients.push(next);
    return next;
  };
  return {
    store: client(),
    reopen: async () => client(),
    async close() {
      for (const each of clients) await each.close();
      await served.stop();
      clean();
      if (served.defects.length > 0) throw served.defects[0];
    },
  };
}

const overMemory: Open = ({ pageSize }) => opened(createMemoryStore(), pageSize, () => {});

const overDirectory: Open = async ({ pageSize }) => {
  const directory = makeTemp();
  const store = openFileStore(`file:${join(directory, "store")}`, {});
  return opened(store, pageSize, () => removeTree(directory));
};

const overItself: Open = async ({ pageSize }) => {
  const inner = await serveOver(createMemoryStore());
  return opened(inner.client(), pageSize, () => void inner.stop());
};

conformance("http, csp serve over memory", overMemory);
conformance("http, csp serve over a directory", overDirectory);
conformance("http, csp serve over csp serve", overItself);

test("the last part of a key is made as the store behind the server makes it", async () => {
  const sha256 = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  const derived: Store = { ...createMemoryStore(), nonce: async (bytes) => sha256(await bytes()) };
  const inner = await serveOver(derived);
  const outer = await serveOver(inner.client());
  const bytes = bytesOf(100, 1);
  for (const served of [inner, outer]) expect(await served.client().nonce(async () => bytes)).toBe(sha256(bytes));
  await outer.stop();
  await inner.stop();
});
