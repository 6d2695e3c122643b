/** One request to a registry: credentials, redirects, time limits, retries. Bodies are read by the caller. */
import type { CspError } from "../core/errors.ts";
import type { TimeLimits, Watch, Watchdog } from "../net/watchdog.ts";
import type { NpmConfiguration } from "./config.ts";
import { type Credentials, isUnderPrefix } from "./credentials.ts";
import {
  authRefused,
  badAnswer,
  networkFailure,
  notFound,
  offlineRefused,
  type Subject,
  showUrl,
  unreachable,
} from "./failures.ts";

/** What all requests of one client share. */
export interface RequestContext {
  configuration: NpmConfiguration;
  userAgent: string;
  offline: boolean;
  limits: TimeLimits;
  /** How often a failed request is repeated. */
  retries: number;
  backoff: { baseMs: number; maxMs: number };
  watchdog: Watchdog;
  signal: AbortSignal | undefined;
}

export interface Question {
  subject: Subject;
  url: string;
  method: "GET" | "HEAD";
  accept: string;
  /** False for bytes whose hash matters: they are asked for and given as they are stored. */
  decompress: boolean;
}

/** A 200 whose body has not been read. `watch` must be ended or aborted by whoever reads it. */
export interface Answer {
  response: Response;
  /** The URL that answered, after redirects. */
  url: URL;
  watch: Watch;
}

/** A try that failed in a way that may pass. */
export interface Failed {
  failure: CspError;
  /** What the server asked for. */
  retryAfterMs: number | undefined;
}

const redirectLimit = 5;
const longestRetryAfterMs = 30_000;

/**
 * Asks, lets `read` take the answer, and repeats both with growing pauses while the failure may pass. `read` returns
 * its result or a Failed, and throws what repeating cannot help.
 */
export async function ask<T>(
  context: RequestContext,
  question: Question,
  read: (answer: Answer) => Promise<{ value: T } | Failed>,
): Promise<T> {
  if (context.offline) throw offlineRefused(question.subject);
  for (let attempt = 0; ; attempt++) {
    const answer = await send(context, question);
    const outcome = "failure" in answer ? answer : await read(answer);
    if ("value" in outcome) return outcome.value;
    if (attempt >= context.retries) throw outcome.failure;
    const { baseMs, maxMs } = context.backoff;
    const pause = Math.min(maxMs, baseMs * 2 ** attempt) * (0.5 + Math.random() / 2);
    await sleep(Math.max(pause, outcome.retryAfterMs ?? 0), context.signal);
  }
}

/** Turns an error while waiting or reading into what it means; rethrows the caller's own abort. */
export function interrupted(
  context: RequestContext,
  question: Question,
  url: URL,
  watch: Watch,
  error: unknown,
): Failed {
  const { subject } = question;
  watch.end();
  if (watch.stopped === "cancelled") throw context.signal?.reason ?? error;
  if (watch.stopped === "idle") {
    const problem = `sent nothing for ${context.limits.idleMs} ms`;
    return { failure: unreachable(subject, url, problem), retryAfterMs: undefined };
  }
  if (watch.stopped === "total") {
    const problem = `did not finish its answer within ${context.limits.totalMs} ms`;
    return { failure: unreachable(subject, url, problem), retryAfterMs: undefined };
  }
  const { failure, retry } = networkFailure(subject, url, error);
  if (!retry) throw failure;
  return { failure, retryAfterMs: undefined };
}

async function send(context: RequestContext, question: Question): Promise<Answer | Failed> {
  const first = new URL(question.url);
  const sent = context.configuration.credentialsFor(first);
  const watch = context.watchdog.watch();
  const visited = new Set<string>();
  let url = first;
  try {
    for (;;) {
      visited.add(url.href);
      const response = await fetchOnce(context, question, url, mayCarry(sent, first, url) ? sent : undefined, watch);
      watch.touch();
      if (response.status === 200) return { response, url, watch };
      // The body of anything else is of no use; without this the connection would stay busy.
      response.body?.cancel().catch(() => {});
      const target = redirectTarget(question.subject, url, response);
      if (!target) {
        watch.abort();
        return refusal(question.subject, url, response, sent);
      }
      if (visited.has(target.href)) throw badAnswer(question.subject, first, "redirects in a circle");
      if (visited.size > redirectLimit) {
        throw badAnswer(question.subject, first, `redirects more than ${redirectLimit} times`);
      }
      url = target;
    }
  } catch (error) {
    watch.end();
    if (error instanceof Error && error.name === "CspError") throw error;
    return interrupted(context, question, url, watch, error);
  }
}

function fetchOnce(
  context: RequestContext,
  question: Question,
  url: URL,
  credentials: Credentials | undefined,
  watch: Watch,
): Promise<Response> {
  const { proxy, tls } = context.configuration.transportFor(url);
  const headers: Record<string, string> = { accept: question.accept, "user-agent": context.userAgent };
  if (!question.decompress) headers["accept-encoding"] = "identity";
  if (credentials) headers.authorization = credentials.header;
  const init = {
    method: question.method,
    headers,
    redirect: "manual",
    decompress: question.decompress,
    signal: watch.signal,
    // `false` keeps bun from using a proxy of its own environment that the configuration ruled out.
    proxy: proxy ?? false,
    // The watchdog keeps the time.
    timeout: false,
    ...(tls === undefined ? {} : { tls }),
  };
  return fetch(url.href, init as unknown as BunFetchRequestInit);
}

/** Credentials go to the origin they were chosen for, below their own prefix, and nowhere else. */
function mayCarry(sent: Credentials | undefined, first: URL, url: URL): boolean {
  if (sent === undefined || url === first) return sent !== undefined;
  return url.origin === first.origin && isUnderPrefix(sent.prefix, url);
}

function redirectTarget(subject: Subject, from: URL, response: Response): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  const location = response.headers.get("location");
  const target = location === null ? null : URL.parse(location, from.href);
  if (!target || (target.protocol !== "http:" && target.protocol !== "https:") || target.username || target.password) {
    throw badAnswer(subject, from, "redirects to something that is not a plain URL");
  }
  if (from.protocol === "https:" && target.protocol === "http:") {
    throw badAnswer(
      subject,
      from,
      `redirects from https to http, to \`${showUrl(target)}\``,
      "csp does not follow that, because anybody in between could change the answer",
    );
  }
  target.hash = "";
  return target;
}

function refusal(subject: Subject, url: URL, response: Response, sent: Credentials | undefined): Failed {
  const { status } = response;
  if (status === 401 || status === 403 || status === 407) throw authRefused(subject, url, status, sent);
  if (status === 404 || status === 410) throw notFound(subject, url, status, sent);
  if (status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501)) {
    const problem = status === 429 ? "asks for fewer requests (status 429)" : `failed with status ${status}`;
    return { failure: unreachable(subject, url, problem), retryAfterMs: retryAfter(response) };
  }
  throw badAnswer(subject, url, `has the unexpected status ${status}`, undefined, status);
}

/** `Retry-After` in milliseconds, bounded. */
function retryAfter(response: Response): number | undefined {
  const text = response.headers.get("retry-after")?.trim();
  if (!text) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, longestRetryAfterMs) : undefined;
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
