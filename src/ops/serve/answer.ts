/** Answers of the server: their shape, those that tell a problem, and sending them to readers that may be slow. */
import type { ServerResponse } from "node:http";
import { isCspError } from "../../core/errors.ts";
import type { Watch } from "../../net/watchdog.ts";
import { serveHeader } from "../../store/http/mode.ts";

export interface Answer {
  status: number;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array | string;
  /** What `Content-Length` says where there is no body: the answer to HEAD. */
  length?: number;
  /** Called once, when nothing of the body is needed any more. */
  release?: () => void;
  /** The code of the error behind it, for the log. */
  code?: string;
}

/** A short JSON error. */
export function problem(status: number, message: string, headers: Record<string, string> = {}, code?: string): Answer {
  const error = code === undefined ? { message } : { code, message };
  return {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
    body: `${JSON.stringify({ error })}\n`,
    ...(code === undefined ? {} : { code }),
  };
}

export const notFound = (): Answer => problem(404, "there is nothing here");

/** 503, to be tried again. */
export function busy(message: string, seconds: number, code?: string): Answer {
  return problem(503, message, { "retry-after": String(seconds) }, code);
}

/** What a failure of the store means to the client; it learns no address. Undefined for a defect of csp. */
export function answerFor(error: unknown): Answer | undefined {
  if (!isCspError(error)) return undefined;
  const { code, data } = error;
  switch (code) {
    case "CSP_STORE_MISSING":
      return problem(404, "the store has no such object", {}, code);
    case "CSP_STORE_UNREACHABLE":
    case "CSP_STORE_BUSY":
    case "CSP_DISK_FULL":
    case "CSP_IO": {
      const ms = typeof data.retryAfterMs === "number" ? data.retryAfterMs : 5000;
      return busy("the store behind this server does not answer", Math.max(1, Math.ceil(ms / 1000)), code);
    }
    case "CSP_STORE_READ_ONLY":
      return problem(405, "the store behind this server can only be read", { allow: "GET, HEAD" }, code);
    default:
      return problem(502, "the store behind this server answers with an error", {}, code);
  }
}

const slice = 262_144;

/** Sends it whole, slice by slice, and gives the bytes sent. `watch` is touched with each slice that was taken. */
export async function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  isHead: boolean,
  watch: Watch,
): Promise<number> {
  const body = typeof answer.body === "string" ? Buffer.from(answer.body) : (answer.body ?? new Uint8Array());
  const hasLength = answer.status !== 204 && answer.status !== 304;
  const length = isHead ? (answer.length ?? body.byteLength) : body.byteLength;
  response.writeHead(answer.status, {
    [serveHeader]: "1",
    "x-content-type-options": "nosniff",
    ...(hasLength ? { "content-length": String(length) } : {}),
    ...answer.headers,
  });
  if (isHead || body.byteLength === 0) {
    response.end();
    return 0;
  }
  let sent = 0;
  for (; sent < body.byteLength && !response.destroyed; sent += slice) {
    const part = body.subarray(sent, sent + slice);
    if (sent + slice >= body.byteLength) await finished(response, part);
    else if (!response.write(part)) await drained(response);
    watch.touch();
  }
  return Math.min(sent, body.byteLength);
}

/** Resolves also where the reader went away. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

function finished(response: ServerResponse, part: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    response.on("close", resolve);
    response.end(part, () => resolve());
  });
}
