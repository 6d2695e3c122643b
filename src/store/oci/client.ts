/** Requests to one repository: who asks, redirects, and answers that no registry would give. */
import { createHttp, type HttpAnswer, type HttpFailure } from "../../net/http.ts";
import { proxyFromEnvironment } from "../../net/proxy.ts";
import { sendFollowing } from "../../net/redirect.ts";
import { badAnswer, lastingAnswer } from "../failures.ts";
import type { StoreOptions } from "../store.ts";
import type { OciAddress } from "./address.ts";
import { type Access, createOciAuth } from "./auth.ts";
import { createCredentialSource } from "./credentials.ts";
import { errorCode, noAnswer, refused, stranger } from "./failures.ts";

export interface OciRequest {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Below the repository, as `manifests/csp-root`; or a whole URL that the registry gave. */
  to: string | URL;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array;
  /** Default: 64 KB. */
  maxBytes?: number;
  access: Access;
  /** Completes "refused to …". */
  action: string;
  /** Statuses that are returned; others are thrown. */
  expect: readonly number[];
}

export interface OciAnswer extends HttpAnswer {
  /** Error code of the registry. */
  code: string | undefined;
}

export interface OciClient {
  address: OciAddress;
  /** Ends with the store, and with whoever opened it. */
  signal: AbortSignal;
  /** An answer with an expected status. Throws what others and silence mean. */
  send(request: OciRequest): Promise<OciAnswer>;
  /** The same, where a broken answer says something: it is returned. */
  trySend(request: OciRequest): Promise<OciAnswer | HttpFailure>;
  close(): void;
}

const usualTimeouts = { idleMs: 30_000, totalMs: 600_000 };
/** Asked without, with the token of before, with a new one. */
const mostTries = 3;

export function createOciClient(address: OciAddress, options: StoreOptions): OciClient {
  const closing = new AbortController();
  const { signal: outer, userAgent, timeouts = usualTimeouts } = options;
  const signal = outer === undefined ? closing.signal : AbortSignal.any([outer, closing.signal]);
  const http = createHttp({ limits: timeouts, signal, proxy: proxyFromEnvironment(options.env) });
  const auth = createOciAuth(address, http, createCredentialSource(address, options), userAgent);

  const once = async (request: OciRequest, authorization: string | undefined) => {
    const { method, to, body, maxBytes = 1 << 16 } = request;
    const url = typeof to === "string" ? new URL(`${address.base}${to}`) : to;
    const isOwn = url.origin === address.origin;
    const own: Record<string, string> = isOwn && authorization !== undefined ? { authorization } : {};
    const headers = { "user-agent": userAgent, ...request.headers };
    const whole = { url, headers, maxBytes, ...(body === undefined ? {} : { body }) };
    if (method === "GET" || method === "HEAD") return sendFollowing(http, { ...whole, method }, own);
    const answer = await http.send({ ...whole, method, headers: { ...headers, ...own } });
    return "failed" in answer ? answer : { answer, url };
  };

  const trySend = async (request: OciRequest): Promise<OciAnswer | HttpFailure> => {
    for (let tries = 1; ; tries++) {
      const sent = await auth.header(request.access);
      const arrival = await once(request, sent);
      if ("failed" in arrival) return arrival;
      const { answer, url } = arrival;
      const elsewhere = url.origin !== address.origin;
      const isAsked = answer.status === 401 && !elsewhere;
      if (isAsked && tries < mostTries && (await auth.learn(answer, request.access, sent))) continue;
      const code = errorCode(answer);
      if (!request.expect.includes(answer.status)) {
        const writes = request.method !== "GET" && request.method !== "HEAD";
        throw refused(address, { answer, code, action: request.action, writes, elsewhere });
      }
      checkBody(address, request, answer);
      return { ...answer, code };
    }
  };

  return {
    address,
    signal,
    trySend,
    async send(request) {
      const answer = await trySend(request);
      if ("failed" in answer) throw noAnswer(address, answer);
      return answer;
    },
    close() {
      closing.abort(new Error("the store was closed"));
    },
  };
}

/** Throws where the body is not what is stored: packed by something in between, or a web page. */
function checkBody(address: OciAddress, { method }: OciRequest, { headers, status }: HttpAnswer): void {
  if (/^text\/html\b/i.test(headers.get("content-type") ?? "")) {
    throw badAnswer(address.text, `answered ${status} with a web page`, stranger);
  }
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() || "identity";
  if (method === "GET" && status < 300 && encoding !== "identity") {
    const hint = "switch off compression in what lies in between";
    throw lastingAnswer(address.text, "packed its answer, which nobody asked for", hint);
  }
  const isDelimited = headers.has("content-length") || headers.has("transfer-encoding");
  if (method === "GET" && status < 300 && !isDelimited) {
    throw lastingAnswer(address.text, "does not say where its answer ends");
  }
}
