/** How a connection to Postgres is protected: libpq's modes, with a default that is safe where the network is not. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { quoted } from "../../core/quote.ts";
import { osCode } from "../../fs/os-error.ts";
import { unusableSettings } from "../failures.ts";
import type { StoreOptions } from "../store.ts";
import { isLocal, type PostgresAddress } from "./address.ts";

const modes = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;

export interface PostgresTls {
  mode: (typeof modes)[number];
  /** Whether a login is tied to the server's certificate. */
  binding: "disable" | "prefer" | "require";
  /** PEM texts. */
  ca?: string;
  cert?: string;
  key?: string;
}

/**
 * The mode, and the certificates as texts. Without `sslmode` it is `verify-full`, or `prefer` on loopback. The authorities are
 * those of `sslrootcert`, else of `~/.postgresql/root.crt`, else (also for `system`) the ones bun comes with. As in libpq,
 * `require` with authorities checks the certificate against them. Throws CSP_STORE_SETTINGS.
 */
export async function tlsOf(address: PostgresAddress, options: StoreOptions): Promise<PostgresTls> {
  const mode = modeOf(address);
  const binding = bindingOf(options.env.PGCHANNELBINDING);
  // A socket in the file system needs none, and is given none.
  if (mode === "disable" || address.host.startsWith("/")) return { mode: "disable", binding };
  const ca = await authorities(address, options);
  const cert = address.sslcert === undefined ? undefined : await readPem(address.sslcert, "sslcert");
  const key = address.sslkey === undefined ? undefined : await readPem(address.sslkey, "sslkey");
  if ((cert === undefined) !== (key === undefined)) {
    throw unusableSettings(
      `the Postgres store's client certificate has only one of \`sslcert\` and \`sslkey\``,
      "name both files, in the address or as PGSSLCERT and PGSSLKEY",
    );
  }
  return {
    mode: mode === "require" && ca !== undefined ? "verify-ca" : mode,
    binding,
    ...(ca === undefined || mode === "prefer" ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

function modeOf({ sslmode, host }: PostgresAddress): PostgresTls["mode"] {
  if (sslmode === undefined) return isLocal(host) ? "prefer" : "verify-full";
  const known = modes.find((mode) => mode === (sslmode === "allow" ? "prefer" : sslmode));
  if (known !== undefined) return known;
  throw unusableSettings(
    `the Postgres store's \`sslmode\` is ${quoted(sslmode)}`,
    `use one of \`${modes.join("`, `")}\`, in the address or as PGSSLMODE`,
  );
}

function bindingOf(setting = "prefer"): PostgresTls["binding"] {
  if (setting === "disable" || setting === "require") return setting;
  return "prefer";
}

async function authorities(address: PostgresAddress, { home }: StoreOptions): Promise<string | undefined> {
  const named = address.sslrootcert;
  if (named === "system") return undefined;
  if (named !== undefined) return await readPem(named, "sslrootcert");
  return home === undefined ? undefined : await readPem(join(home, ".postgresql/root.crt"), "sslrootcert", "optional");
}

async function readPem(path: string, what: string, need?: "optional"): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (need === "optional" && ["ENOENT", "ENOTDIR", "EACCES"].includes(osCode(error) ?? "")) return undefined;
    throw unusableSettings(
      `the file ${quoted(path)}, the Postgres store's \`${what}\`, cannot be read (${osCode(error)})`,
      "name a file in PEM format that this user may read",
    );
  }
  if (/^-----BEGIN [A-Z ]+-----\s*$/m.test(text)) return text;
  throw unusableSettings(
    `the file ${quoted(path)}, the Postgres store's \`${what}\`, is not in PEM format`,
    "convert it with `openssl`; a PEM file has lines that begin with `-----BEGIN`",
  );
}
