/** Stores in a repository of an OCI registry. */
import { parseOciAddress } from "./oci/address.ts";
import { createEnsureConfig } from "./oci/blobs.ts";
import { createOciClient } from "./oci/client.ts";
import { sha256 } from "./oci/manifest.ts";
import { createOciObjects } from "./oci/objects.ts";
import { probe } from "./oci/probe.ts";
import { createOciRoot } from "./oci/root.ts";
import { createTags } from "./oci/tags.ts";
import type { Capabilities, Store, StoreOptions } from "./store.ts";

/** For tests. */
export interface OciTuning {
  /** How many tags a page of a listing is asked for. */
  pageSize?: number;
  /** How long a writer of the root waits at least for others that write at the same moment. */
  settleMs?: number;
}

/**
 * Opens `oci://registry.example.com[:port]/repository[?insecure=…&trust=…]` with the credentials that Docker's and other tools
 * left. Makes no request. Throws CSP_STORE_ADDRESS, and CSP_CONFIG for proxies that are none.
 */
export function openOciStore(text: string, options: StoreOptions, tuning: OciTuning = {}): Store {
  const address = parseOciAddress(text);
  const client = createOciClient(address, options);
  const tags = createTags(client, createEnsureConfig(client), tuning.pageSize ?? 1000);
  let capabilities: Promise<Capabilities> | undefined;
  return {
    kind: "oci",
    address: address.text,
    blobs: createOciObjects(client, tags),
    root: createOciRoot(client, tags, tuning.settleMs ?? 250),
    capabilities() {
      capabilities ??= probe(client, tags).catch((error: unknown) => {
        capabilities = undefined;
        throw error;
      });
      return capabilities;
    },
    nonce: async (bytes) => sha256(await bytes()).slice("sha256:".length),
    async close() {
      client.close();
    },
  };
}
