/** A store over HTTP. The protocol is in docs/reference/serve-api.md. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Store } from "../store/store.ts";
import { createConnections } from "./serve/connections.ts";
import { createHandler } from "./serve/handler.ts";
import { type ListenPlace, listen } from "./serve/listen.ts";
import { createListing } from "./serve/listing.ts";
import { createBudget } from "./serve/memory.ts";
import { createRootFeed } from "./serve/root.ts";
import type { AccessEntry, ServeLimits } from "./serve/served.ts";
import { createState } from "./serve/state.ts";
import { createTlsFront } from "./serve/tls.ts";
import type { Tokens } from "./serve/tokens.ts";

export interface ServeOptions {
  store: Store;
  listen: ListenPlace;
  /** PEM texts; without them it is plain HTTP. */
  tls?: { cert: string; key: string };
  /** Who may read; absent: everybody who can connect. */
  readTokens?: Tokens;
  /** Who may write, and read; absent: nobody may write. */
  writeTokens?: Tokens;
  limits?: Partial<ServeLimits>;
  version: string;
  now: () => number;
  log: (entry: AccessEntry) => void;
  /** What is thrown that is no failure of the store. */
  onDefect: (error: unknown) => void;
}

export interface Serving {
  /** `http://127.0.0.1:8723`, or `unix:/path`. */
  url: string;
  /** Takes no new connections, answers those who wait, lets requests end, and closes the store. */
  stop(): Promise<void>;
}

export const usualLimits: ServeLimits = {
  maxObjectBytes: 512 * 1024 * 1024,
  memoryBytes: 128 * 1024 * 1024,
  connections: 4096,
  requests: 512,
  headMs: 10_000,
  keepAliveMs: 75_000,
  idleMs: 30_000,
  totalMs: 600_000,
  waitMs: 55_000,
  drainMs: 20_000,
  pageSize: 1000,
  pollMs: 500,
};

/** Longest head of a request, in bytes. */
const maxHeadBytes = 16_384;

/** Starts to serve. Throws CSP_LISTEN and CSP_CONFIG. */
export async function startServing(options: ServeOptions): Promise<Serving> {
  const limits = { ...usualLimits, ...options.limits };
  const { store, tls } = options;
  const feed = createRootFeed(store.root, limits.pollMs);
  const connections = createConnections(limits);
  const served = {
    store,
    feed,
    listing: createListing(store.blobs, limits.pageSize),
    budget: createBudget(limits.memoryBytes),
    limits,
    writable: options.writeTokens !== undefined,
    closed: options.readTokens !== undefined,
  };
  const handler = createHandler({ ...options, served, connections, state: createState(served, connections, options) });
  // The connections keep the time themselves, with and without TLS alike.
  const http = createServer({ maxHeaderSize: maxHeadBytes, headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 });
  http.on("request", (request: IncomingMessage, response: ServerResponse) => void handler.handle(request, response));
  http.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
    const destroy = (): void => void socket.destroy();
    if (!socket.writable) destroy();
    else socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, destroy);
  });
  const front = tls === undefined ? http : createTlsFront(tls, http, connections);
  if (front === http) http.on("connection", (socket) => void connections.open(socket));
  try {
    const at = await listen(front, options.listen);
    const url = "path" in options.listen ? `unix:${at}` : `${tls === undefined ? "http" : "https"}://${at}`;
    return {
      url,
      async stop() {
        front.close();
        feed.end();
        connections.closeIdle();
        await handler.drained(limits.drainMs);
        connections.closeAll();
        connections.end();
        await store.close();
      },
    };
  } catch (error) {
    connections.end();
    throw error;
  }
}
