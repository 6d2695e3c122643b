/** What answers at an address: `csp serve`, or a plain copy of a directory store. */
import { CspError } from "../../core/errors.ts";
import { oneLine } from "../../core/quote.ts";
import { storeFormat } from "../../core/store-root.ts";
import { noStore } from "../failures.ts";
import type { Capabilities } from "../store.ts";
import type { Remote } from "./request.ts";

/** Sent with every answer of `csp serve`, so that a client sees at once when one took the place of a plain copy. */
export const serveHeader = "csp-serve";

/** The file that says what lies around it. */
export const descriptionPath = "csp-store.json";

/** `nonces`: how the last part of a key is made, where not at random. */
export type Mode = { kind: "static" } | { kind: "serve"; capabilities: Capabilities; nonces: "random" | "sha256" };

/** Asks; throws CSP_STORE_ADDRESS where no store answers, and CSP_STORE_NEWER. */
export async function findMode(remote: Remote): Promise<Mode> {
  const answer = await remote.ask({
    method: "GET",
    path: descriptionPath,
    accept: [200, 404],
    action: "say what it is",
    headers: { "cache-control": "no-cache" },
  });
  if (answer.status === 404) throw notFound(remote.address, `has no \`${descriptionPath}\``);
  const said = parseObject(answer.body);
  const format = said?.format;
  if (typeof format !== "number") throw notFound(remote.address, `has a \`${descriptionPath}\` that is none`);
  if (format > storeFormat) {
    throw new CspError("CSP_STORE_NEWER", {
      message: `the store \`${remote.address}\` has format ${format}, and this csp knows formats up to ${storeFormat}`,
      hint: "update csp on this machine",
      data: { store: remote.address },
    });
  }
  if (!answer.headers.has(serveHeader) || said?.serve === undefined) return { kind: "static" };
  const { nonces } = (said.serve ?? {}) as { nonces?: unknown };
  return {
    kind: "serve",
    capabilities: parseCapabilities(said.serve),
    nonces: nonces === "sha256" ? "sha256" : "random",
  };
}

function parseCapabilities(said: unknown): Capabilities {
  const { writers, why } = (said ?? {}) as { writers?: unknown; why?: unknown };
  if (writers === "many") return { writers };
  const reason = typeof why === "string" ? oneLine(why.slice(0, 300)) : "the server does not say why";
  return { writers: writers === "one" ? "one" : "none", why: reason };
}

/** The object that a body holds as JSON; undefined for anything else. */
export function parseObject(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function notFound(address: string, problem: string): CspError {
  return noStore(address, problem, "check the address: it is that of `csp serve`, or of a copy of a directory store");
}
