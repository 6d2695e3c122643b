/** From an address to a store. Each kind is loaded when an address names it. */
import { CspError } from "../core/errors.ts";
import { quoted } from "../core/quote.ts";
import { retrying } from "./retrying.ts";
import type { Store, StoreOptions } from "./store.ts";
import { verified } from "./verified.ts";

/**
 * Opens `file:…` or a path, `s3://…`, `postgres://…`, `http(s)://…` or `oci://…`, verified and trying again. No request is made.
 * Throws CSP_STORE_ADDRESS for anything else, and what is wrong with the credentials' configuration.
 */
export async function openStore(address: string, options: StoreOptions): Promise<Store> {
  return verified(retrying(await openKind(address, options), { signal: options.signal }));
}

async function openKind(address: string, options: StoreOptions): Promise<Store> {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(address)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
    case "file": {
      const { openFileStore } = await import("./file.ts");
      return openFileStore(address, options);
    }
    case "s3": {
      const { openS3Store } = await import("./s3.ts");
      return openS3Store(address, options);
    }
    case "postgres":
    case "postgresql": {
      const { openPostgresStore } = await import("./postgres.ts");
      return openPostgresStore(address, options);
    }
    case "http":
    case "https": {
      const { openHttpStore } = await import("./http.ts");
      return openHttpStore(address, options);
    }
    case "oci": {
      const { openOciStore } = await import("./oci.ts");
      return openOciStore(address, options);
    }
    case "bundle":
      return (await import("./bundle.ts")).openBundleStore(address);
    default:
      throw new CspError("CSP_STORE_ADDRESS", {
        message: `${quoted(address)} is no address of a store`,
        hint: "write `file:/srv/csp`, `s3://bucket/prefix`, `postgres://host/database`, `https://host/path` or `oci://host/repository`",
      });
  }
}
