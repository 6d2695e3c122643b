/** From a URL to an answer: which route it is, who may use it, and what it says. */
import { createHash } from "node:crypto";
import { parseStoreKey, type StoreKey } from "../../core/store-key.ts";
import { storeFormat } from "../../core/store-root.ts";
import { type Answer, notFound, problem } from "./answer.ts";
import { answerListing } from "./listing.ts";
import { answerObject } from "./objects.ts";
import { answerRoot } from "./root-route.ts";
import type { Access, Asked, Served } from "./served.ts";

export type Route =
  | { name: "root" | "listing" | "description" | "live" | "ready" | "metrics" | "other" }
  | { name: "blobs" | "releases"; key: StoreKey };

const fixed: Readonly<Record<string, Exclude<Route["name"], "blobs" | "releases">>> = {
  "/root": "root",
  "/objects": "listing",
  "/csp-store.json": "description",
  "/healthz": "live",
  "/healthz/live": "live",
  "/healthz/ready": "ready",
  "/metrics": "metrics",
};

/** Nothing is decoded or normalised: what is not a name of ours to the letter is nothing. */
export function routeOf(url: string): { route: Route; query: string } {
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? "" : url.slice(mark + 1);
  const name = Object.hasOwn(fixed, path) ? fixed[path] : undefined;
  if (name !== undefined) return { route: { name }, query };
  const parts = parseStoreKey(path.slice(1));
  if (path.startsWith("/") && parts !== undefined) return { route: { name: parts.kind, key: path.slice(1) }, query };
  return { route: { name: "other" }, query };
}

/** The methods of a route. */
export function methodsOf({ name }: Route, writable: boolean): readonly string[] {
  if (name === "blobs" || name === "releases") return writable ? ["GET", "HEAD", "PUT", "DELETE"] : ["GET", "HEAD"];
  return name === "root" && writable ? ["GET", "HEAD", "PUT"] : ["GET", "HEAD"];
}

/** Why the request is not served, or undefined. */
export function refusal(route: Route, served: Served, method: string, access: Access): Answer | undefined {
  const { name } = route;
  if (name === "live" || name === "ready") return methodRefusal(route, served, method);
  // Whoever may not read learns nothing, not even what there is.
  if (access === "none") return problem(401, "this takes a token", { "www-authenticate": 'Bearer realm="csp"' });
  if (name === "other") return notFound();
  const refused = methodRefusal(route, served, method);
  if (refused !== undefined || method === "GET" || method === "HEAD" || access === "write") return refused;
  return served.closed
    ? problem(403, "this token may only read")
    : problem(401, "writing takes a token", { "www-authenticate": 'Bearer realm="csp"' });
}

function methodRefusal(route: Route, { writable }: Served, method: string): Answer | undefined {
  const methods = methodsOf(route, writable);
  return methods.includes(method) ? undefined : problem(405, "this is not done here", { allow: methods.join(", ") });
}

/** What the server itself can say, beside what its store says. */
export interface OwnAnswers {
  metrics(): Promise<string>;
  ready(): Promise<Answer>;
}

export async function answerRoute(
  { route, query }: ReturnType<typeof routeOf>,
  served: Served,
  asked: Asked,
  own: OwnAnswers,
): Promise<Answer> {
  switch (route.name) {
    case "blobs":
    case "releases":
      return answerObject(served, asked, route.key);
    case "root":
      return answerRoot(served, asked);
    case "listing":
      return answerListing(served.listing, query);
    case "description":
      return describe(served, asked);
    case "live":
      return json({ live: true });
    case "ready":
      return own.ready();
    case "metrics":
      return {
        status: 200,
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" },
        body: await own.metrics(),
      };
    case "other":
      return notFound();
  }
}

async function describe({ store, writable }: Served, { access }: Asked): Promise<Answer> {
  const why = writable ? "the token may only read" : "the server was started without `--writable`";
  if (access !== "write") return json({ format: storeFormat, serve: { writers: "none", why } });
  const capabilities = await store.capabilities();
  const isDerived = (await store.nonce(async () => new Uint8Array())) === sha256OfNothing;
  return json({ format: storeFormat, serve: { ...capabilities, ...(isDerived ? { nonces: "sha256" } : {}) } });
}

/** A store that derives the last part of a key from the bytes gives this for none of them. */
const sha256OfNothing = createHash("sha256").digest("hex");

export function json(value: unknown, status = 200): Answer {
  return {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: `${JSON.stringify(value)}\n`,
  };
}
