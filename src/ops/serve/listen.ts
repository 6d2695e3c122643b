/** Where a server listens. */
import { lstatSync, unlinkSync } from "node:fs";
import { createConnection, type Server } from "node:net";
import { CspError } from "../../core/errors.ts";
import { quoted } from "../../core/quote.ts";

export type ListenPlace = { host: string; port: number } | { path: string };

/** `127.0.0.1:8723`, `[::1]:8723`, `name:8723` or `unix:/path`. Throws CSP_USAGE. */
export function parseListen(text: string): ListenPlace {
  const path = /^unix:(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { path };
  const [, inner, plain, digits] = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = inner ?? plain;
  const port = Number(digits);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw new CspError("CSP_USAGE", {
    message: `${quoted(text)} is nothing to listen at`,
    hint: "write `127.0.0.1:8723`, `[::1]:8723`, `0.0.0.0:8723` for all addresses, or `unix:/run/csp.sock`",
  });
}

/** True where only this machine can connect. */
export function isLocal(place: ListenPlace): boolean {
  return "path" in place || /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/.test(place.host);
}

/** Listens, and gives what to connect to, `host:port` with the real port, or the path. Throws CSP_LISTEN. */
export async function listen(server: Server, place: ListenPlace): Promise<string> {
  const begin = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      const done = (): void => {
        server.off("error", reject);
        resolve();
      };
      if ("path" in place) server.listen(place.path, done);
      else server.listen(place.port, place.host, done);
    });
  try {
    if ("path" in place) await removeStale(place.path);
    await begin();
  } catch (cause) {
    throw cannotListen(place, cause);
  }
  const address = server.address();
  if (address === null || typeof address === "string" || "path" in place) return "path" in place ? place.path : "";
  return `${place.host.includes(":") ? `[${place.host}]` : place.host}:${address.port}`;
}

/** A socket that a killed server left behind refuses connections; nothing else is removed. */
async function removeStale(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const answer = await new Promise<string>((resolve) => {
    const probe = createConnection(path, () => {
      probe.destroy();
      resolve("in use");
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
  if (answer === "ECONNREFUSED") unlinkSync(path);
}

function cannotListen(place: ListenPlace, cause: unknown): CspError {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  const where = "path" in place ? place.path : `${place.host}:${place.port}`;
  const why: Record<string, string> = {
    EADDRINUSE: "something listens there already",
    EACCES: "this user may not",
    EADDRNOTAVAIL: "this machine does not have that address",
    ENOTFOUND: "the name does not resolve",
    ENOENT: "the folder is not there",
  };
  return new CspError("CSP_LISTEN", {
    message: `cannot listen at ${quoted(where)}: ${why[code ?? ""] ?? code ?? "unknown reason"}`,
    hint: "name another place with `--listen`; port 0 takes any that is free",
    cause,
  });
}
