/** Stores behind HTTP: `csp serve`, with all that its store can do, or a plain copy of a directory store, to be read. */
import { findMode, type Mode } from "./http/mode.ts";
import { createHttpBlobs } from "./http/objects.ts";
import { findToken, parseHttpAddress } from "./http/place.ts";
import { createRemote } from "./http/request.ts";
import { createHttpRoot, type ModeFinder, plainCopy } from "./http/root.ts";
import { randomNonce, type Store, type StoreOptions } from "./store.ts";

/** Opens `http(s)://host/path`. Throws CSP_STORE_ADDRESS, CSP_STORE_SETTINGS and CSP_CONFIG; makes no request. */
export function openHttpStore(address: string, options: StoreOptions): Store {
  const base = parseHttpAddress(address);
  const remote = createRemote(base, findToken(base, options.env), options);
  let found: Promise<Mode> | undefined;
  const again = (): Promise<Mode> => {
    const asking = findMode(remote);
    found = asking;
    asking.catch(() => {
      if (found === asking) found = undefined;
    });
    return asking;
  };
  const mode: ModeFinder = { find: () => found ?? again(), again };
  return {
    kind: "http",
    address: base,
    blobs: createHttpBlobs(remote, mode),
    root: createHttpRoot(remote, mode),
    async capabilities() {
      const told = await mode.find();
      return told.kind === "serve" ? told.capabilities : { writers: "none", why: plainCopy };
    },
    async nonce(bytes) {
      const told = await mode.find();
      if (told.kind === "static" || told.nonces === "random") return randomNonce();
      return new Bun.CryptoHasher("sha256").update(await bytes()).digest("hex");
    },
    async close() {
      remote.close();
    },
  };
}
