/** The store in memory is a store. */
import { createMemoryStore } from "../../../src/store/memory.ts";
import { conformance } from "./conformance.ts";

conformance("memory", async () => {
  const store = createMemoryStore();
  return { store, reopen: async () => store, close: () => store.close() };
});
