/** A request as the routes see it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Watch } from "../../net/watchdog.ts";
import type { Access, Asked } from "./served.ts";
import type { Tokens } from "./tokens.ts";

export interface Reading {
  asked: Asked;
  /** Bytes of the body that came so far. */
  received(): number;
  /** True where there is a body that nobody read. */
  isUnread(): boolean;
}

/** `watch` is touched while the body comes, and rests before and after. */
export function readingOf(request: IncomingMessage, response: ServerResponse, watch: Watch, access: Access): Reading {
  let [received, isRead] = [0, !hasBody(request)];
  const over = new Promise<void>((resolve) => {
    response.once("close", () => resolve());
  });
  const body: Asked["body"] = async (length) => {
    isRead = true;
    const bytes = new Uint8Array(length);
    watch.touch();
    try {
      for await (const chunk of request as AsyncIterable<Uint8Array>) {
        if (received + chunk.byteLength > length) return undefined;
        bytes.set(chunk, received);
        received += chunk.byteLength;
        watch.touch();
      }
    } catch {
      return undefined;
    } finally {
      watch.rest();
    }
    return received === length ? bytes : undefined;
  };
  const header = (name: string): string | undefined => {
    const value = request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  };
  return {
    asked: { method: request.method as Asked["method"], access, header, body, over },
    received: () => received,
    isUnread: () => !isRead,
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers["content-length"];
  return headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

/** What the bearer of this header may do. Without tokens to read everybody may. */
export function accessOf(
  { readTokens, writeTokens }: { readTokens?: Tokens; writeTokens?: Tokens },
  authorization: string | undefined,
): Access {
  const token = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization ?? "")?.[1];
  const isReader = readTokens === undefined || (token !== undefined && readTokens.accepts(token));
  if (token !== undefined && writeTokens?.accepts(token) === true) return "write";
  return isReader ? "read" : "none";
}
