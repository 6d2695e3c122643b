/** Credentials for a registry, from the files that Docker, Podman, skopeo, oras and crane write. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { quoted } from "../../core/quote.ts";
import { unusableSettings } from "../failures.ts";
import type { StoreOptions } from "../store.ts";
import type { OciAddress } from "./address.ts";
import { askHelper } from "./helper.ts";

export type OciCredentials =
  | { kind: "password"; username: string; password: string }
  /** A refresh token, for token services alone. */
  | { kind: "identity"; token: string }
  /** A token for the registry itself. */
  | { kind: "bearer"; token: string };

export interface CredentialSource {
  /** What stands in a file, without asking a program. */
  written(): OciCredentials | undefined;
  /** What a file or a program says, remembered. */
  find(): Promise<OciCredentials | undefined>;
  /** The same, asked anew: a program may have got others. */
  again(): Promise<OciCredentials | undefined>;
}

/** Files are read when they are needed. All methods throw CSP_STORE_SETTINGS for files and programs that cannot be used. */
export function createCredentialSource(address: OciAddress, options: StoreOptions): CredentialSource {
  let found: Promise<OciCredentials | undefined> | undefined;
  const look = async (): Promise<OciCredentials | undefined> => {
    for (const path of credentialFiles(options)) {
      const entry = entryFor(address, path);
      if (entry === undefined) continue;
      const answer = entry.helper === undefined ? undefined : await askHelper(entry.helper, entry.server, options.env);
      if (answer?.username === "<token>") return checked({ kind: "identity", token: answer.secret }, path);
      if (answer !== undefined) {
        return checked({ kind: "password", username: answer.username, password: answer.secret }, path);
      }
      if (entry.written !== undefined) return entry.written;
    }
    return undefined;
  };
  const again = (): Promise<OciCredentials | undefined> => {
    found = look();
    return found;
  };
  return {
    written() {
      for (const path of credentialFiles(options)) {
        const entry = entryFor(address, path);
        if (entry !== undefined) return entry.helper === undefined ? entry.written : undefined;
      }
      return undefined;
    },
    find: () => found ?? again(),
    again,
  };
}

/** In the order of precedence. */
function credentialFiles({ env, home }: StoreOptions): string[] {
  if (env.REGISTRY_AUTH_FILE) return [env.REGISTRY_AUTH_FILE];
  const docker = env.DOCKER_CONFIG || (home === undefined ? undefined : join(home, ".docker"));
  const config = env.XDG_CONFIG_HOME || (home === undefined ? undefined : join(home, ".config"));
  return [
    ...(docker === undefined ? [] : [join(docker, "config.json")]),
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, "containers/auth.json")] : []),
    ...(config === undefined ? [] : [join(config, "containers/auth.json")]),
  ];
}

interface Entry {
  /** Name of the program that is to be asked first, and of the server in its words. */
  helper: string | undefined;
  server: string;
  written: OciCredentials | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/** What one file says of the registry; undefined where it says nothing. */
function entryFor(address: OciAddress, path: string): Entry | undefined {
  const file = readFile(path);
  if (file === undefined) return undefined;
  const auth = nearest(address, objectOf(file.auths));
  const own = nearest(address, objectOf(file.credHelpers));
  const store = typeof file.credsStore === "string" && file.credsStore !== "" ? file.credsStore : undefined;
  const helper = typeof own?.value === "string" ? own.value : store;
  const written = auth === undefined ? undefined : writtenCredentials(objectOf(auth.value), path);
  if (helper === undefined && written === undefined) return undefined;
  const isHub = address.names[0] === "index.docker.io";
  const server = own?.name ?? auth?.name ?? (isHub ? "https://index.docker.io/v1/" : (address.names[0] as string));
  return { helper, server, written };
}

/** The entry whose name is the registry, or the longest part of the path to the repository. */
function nearest(address: OciAddress, entries: Fields): { name: string; value: unknown } | undefined {
  let best: { name: string; value: unknown; length: number } | undefined;
  for (const [name, value] of Object.entries(entries)) {
    const bare = name.replace(/^https?:\/\//, "").replace(/\/(?:v[12]\/?)?$/, "");
    const fits = address.names.some((host) => `${host}/${address.repository}/`.startsWith(`${bare}/`));
    if (fits && (best === undefined || bare.length > best.length)) best = { name, value, length: bare.length };
  }
  return best;
}

function writtenCredentials(entry: Fields, path: string): OciCredentials | undefined {
  const text = (name: string): string | undefined => {
    const value = entry[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const [identity, bearer, auth] = [text("identitytoken"), text("registrytoken"), text("auth")];
  if (identity !== undefined) return checked({ kind: "identity", token: identity }, path);
  if (bearer !== undefined) return checked({ kind: "bearer", token: bearer }, path);
  const [name, secret] = [text("username"), text("password")];
  if (name !== undefined && secret !== undefined) {
    return checked({ kind: "password", username: name, password: secret }, path);
  }
  if (auth === undefined) return undefined;
  const [, username, password] = /^([^:]*):([\s\S]*)$/.exec(Buffer.from(auth, "base64").toString("utf8")) ?? [];
  if (username === undefined || password === undefined) throw odd(path);
  return checked({ kind: "password", username, password: password.replace(/\0+$/, "") }, path);
}

/** A line break would begin another header. */
function checked(credentials: OciCredentials, path: string): OciCredentials {
  const isFit =
    credentials.kind === "password"
      ? !/[\0-\x1f\x7f]/.test(credentials.username + credentials.password) && !credentials.username.includes(":")
      : /^[\x21-\x7e]{1,16384}$/.test(credentials.token);
  if (!isFit) throw odd(path);
  return credentials;
}

function odd(path: string) {
  return unusableSettings(
    `the credentials for the registry that ${quoted(path)} gives cannot be used`,
    "log in again with `docker login`, `oras login` or the like",
  );
}

function readFile(path: string): Fields | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw unusableSettings(`${quoted(path)} cannot be read (${code ?? "unknown reason"})`, "check who may read it");
  }
  try {
    return objectOf(JSON.parse(text));
  } catch {
    throw unusableSettings(`${quoted(path)} is no JSON`, "correct it, or log in again with `docker login` or the like");
  }
}

function objectOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
