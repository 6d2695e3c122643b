/** What the routes of a server share, and what a request is to them. */
import type { Store } from "../../store/store.ts";
import type { Listing } from "./listing.ts";
import type { Budget } from "./memory.ts";
import type { RootFeed } from "./root.ts";

/** What a request may do. */
export type Access = "none" | "read" | "write";

export interface ServeLimits {
  /** Largest object that is taken or given, in bytes. */
  maxObjectBytes: number;
  /** Memory for objects on their way, of all requests together. */
  memoryBytes: number;
  /** Connections at once; further ones are closed. */
  connections: number;
  /** Requests at once, those that wait for a change left out; further ones are asked to come again. */
  requests: number;
  /** Time from the connection to the end of its first request's head. */
  headMs: number;
  /** Time that a connection may lie idle between requests. */
  keepAliveMs: number;
  /** Longest silence within a body, either way. */
  idleMs: number;
  /** Longest time for one request. */
  totalMs: number;
  /** Longest wait for a change of the root. */
  waitMs: number;
  /** Longest time that requests are given to end when the server stops. */
  drainMs: number;
  /** Objects on one page of a listing. */
  pageSize: number;
  /** How often a store that cannot tell of changes is looked at while somebody waits for one. */
  pollMs: number;
}

export interface Served {
  store: Store;
  feed: RootFeed;
  listing: Listing;
  budget: Budget;
  limits: ServeLimits;
  writable: boolean;
  /** True where reading takes a token. */
  closed: boolean;
}

/** A request whose route is known. */
export interface Asked {
  method: "GET" | "HEAD" | "PUT" | "DELETE";
  access: Access;
  header(name: string): string | undefined;
  /** The body, of `length` bytes; undefined where the client went away. To be read at most once. */
  body(length: number): Promise<Uint8Array | undefined>;
  /** Resolves when the client goes away or the request is over. */
  over: Promise<void>;
}

/** One line of the access log. Holds no credential and no query. */
export interface AccessEntry {
  /** Milliseconds since 1970. */
  time: number;
  /** Address of the peer; `unix` for a local socket. */
  remote: string;
  method: string;
  /** The path of a route, and of nothing else more than its first characters. */
  path: string;
  status: number;
  sentBytes: number;
  receivedBytes: number;
  durationMs: number;
  /** What went wrong behind it. */
  code?: string;
}
