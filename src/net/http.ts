/**
 * One HTTP request with its whole answer, within limits: silence, duration, length. Redirects, credentials, retries and the
 * meaning of a status are the caller's.
 */
import { joined } from "./join.ts";
import { createWatchdog, type TimeLimits, type Watch } from "./watchdog.ts";

export interface HttpRequest {
  method: "GET" | "HEAD" | "PUT" | "POST" | "PATCH" | "DELETE";
  url: URL;
  /** `accept-encoding: identity` is added unless one is given. */
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array | string;
  /** A longer answer is the failure "too long"; the rest is not read. Of errors 64 KB are read, whatever this says. */
  maxBytes: number;
  /** Time limits of this request, where not the client's. A body adds to the silence, as nothing is heard while it goes out. */
  limits?: Partial<TimeLimits>;
}

export interface HttpAnswer {
  status: number;
  headers: Headers;
  /** As it was sent, with no encoding undone; in an ArrayBuffer of its own. Empty for HEAD; of an error perhaps the beginning. */
  body: Uint8Array;
}

/** Why there is no whole answer. `text` completes "the server …" and quotes nothing of the server's. */
export interface HttpFailure {
  failed: "connect" | "interrupted" | "timeout" | "tls" | "too long" | "malformed" | "redirect";
  text: string;
}

export interface Http {
  /** Redirects are given as they are. Never throws but the caller's own reason for ending it. */
  send(request: HttpRequest): Promise<HttpAnswer | HttpFailure>;
}

export interface HttpOptions {
  limits: TimeLimits;
  /** Ends every request; `send` then throws its reason. */
  signal?: AbortSignal | undefined;
  /** The proxy for a URL, credentials and all; undefined for none. */
  proxy?: (url: URL) => string | undefined;
  /** PEM texts of authorities that replace the built-in ones, and whether certificates are checked (default: yes). */
  tls?: { ca?: readonly string[]; rejectUnauthorized?: boolean; cert?: string; key?: string };
}

export function createHttp(options: HttpOptions): Http {
  const watchdog = createWatchdog(options.limits, options.signal);
  return {
    async send(request) {
      const watch = watchdog.watch(limitsOf(request, options.limits));
      try {
        const response = await fetch(request.url.href, initOf(options, request, watch));
        watch.touch();
        return await readAnswer(request, response, watch);
      } catch (error) {
        options.signal?.throwIfAborted();
        return failureOf(error, watch);
      } finally {
        watch.end();
      }
    },
  };
}

/** The slowest upload that is waited for, in bytes a millisecond. */
const slowestUpload = 50;

function limitsOf({ body, limits }: HttpRequest, usual: TimeLimits): Partial<TimeLimits> | undefined {
  if (body === undefined) return limits;
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  return { ...limits, idleMs: (limits?.idleMs ?? usual.idleMs) + length / slowestUpload };
}

function initOf(options: HttpOptions, request: HttpRequest, watch: Watch): BunFetchRequestInit {
  const init = {
    method: request.method,
    headers: { "accept-encoding": "identity", ...request.headers },
    ...(request.body === undefined ? {} : { body: request.body }),
    redirect: "manual",
    decompress: false,
    signal: watch.signal,
    // `false` keeps bun from using a proxy of its own environment that the caller ruled out.
    proxy: options.proxy?.(request.url) ?? false,
    // The watchdog keeps the time.
    timeout: false,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  };
  return init as unknown as BunFetchRequestInit;
}

/** What is kept of the body of an error, which may be a web page of any size. */
const errorBytes = 65_536;

async function readAnswer(request: HttpRequest, response: Response, watch: Watch): Promise<HttpAnswer | HttpFailure> {
  const { status, headers } = response;
  if (request.method === "HEAD" || status === 204 || status === 304) return { status, headers, body: new Uint8Array() };
  const isError = status >= 400;
  const maxBytes = isError ? errorBytes : request.maxBytes;
  const announced = announcedLength(headers);
  if (!isError && announced !== undefined && announced > maxBytes) return tooLong(request, watch);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    watch.touch();
    length += value.byteLength;
    if (length > maxBytes && !isError) return tooLong(request, watch);
    chunks.push(value);
    if (length <= maxBytes) continue;
    watch.abort();
    return { status, headers, body: joined(chunks, length).slice(0, maxBytes) };
  }
  if (announced !== undefined && announced !== length) {
    return { failed: "interrupted", text: `announced ${announced} bytes and sent ${length}` };
  }
  return { status, headers, body: joined(chunks, length) };
}

/** `Content-Length` as a number of bytes; undefined where it is absent or none. */
export function announcedLength(headers: Headers): number | undefined {
  const text = headers.get("content-length");
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function tooLong(request: HttpRequest, watch: Watch): HttpFailure {
  watch.abort();
  return { failed: "too long", text: `sends more than ${request.maxBytes} bytes` };
}

/** Errors of `fetch` are told by their code alone: their text may quote whole URLs. */
function failureOf(error: unknown, watch: Watch): HttpFailure {
  if (watch.stopped === "idle") return { failed: "timeout", text: "was silent for too long" };
  if (watch.stopped === "total") return { failed: "timeout", text: "took too long for one answer" };
  const raw = (error as { code?: unknown } | null)?.code;
  const code = typeof raw === "string" && /^[A-Za-z_0-9]{1,60}$/.test(raw) ? raw : "unknown reason";
  if (/CERT|TLS|SSL|ISSUER|SIGNATURE/i.test(code)) {
    return { failed: "tls", text: `has a certificate that is not trusted (${code})` };
  }
  if (/REFUSED/i.test(code)) return { failed: "connect", text: "accepts no connection (ECONNREFUSED)" };
  if (/NOTFOUND|DNS/i.test(code))
    return { failed: "connect", text: "has a host name that does not resolve (ENOTFOUND)" };
  if (/HTTP|Header|ContentLength|Encoding/.test(code)) {
    return { failed: "malformed", text: `does not answer as a web server does (${code})` };
  }
  if (/RESET|CLOSED/i.test(code)) {
    return { failed: "interrupted", text: "closed the connection before the answer was complete (ECONNRESET)" };
  }
  return { failed: "connect", text: `cannot be reached (${code})` };
}
