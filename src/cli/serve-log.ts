/** What `csp serve` says on stderr while it runs. */
import { parseStoreKey } from "../core/store-key.ts";
import type { AccessEntry } from "../ops/serve/served.ts";
import { writeMessage } from "./terminal.ts";

export type LogKind = "text" | "json" | "off";

/** A line for each request. */
export function accessLog(kind: LogKind): (entry: AccessEntry) => void {
  if (kind === "off") return () => {};
  return kind === "json"
    ? (entry) => writeMessage(`${JSON.stringify({ ...entry, time: new Date(entry.time).toISOString() })}\n`)
    : (entry) => writeMessage(`${accessLine(entry)}\n`);
}

/** `<time> <peer> GET /blobs/0123456789ab….01234567 200 28123 1.2ms`, and the code of what went wrong. */
export function accessLine({ time, remote, method, path, status, sentBytes, durationMs, code }: AccessEntry): string {
  const key = parseStoreKey(path.slice(1));
  const shown = key === undefined ? path : `/${key.kind}/${key.digest.slice(0, 12)}….${key.nonce.slice(0, 8)}`;
  const why = code === undefined ? "" : ` ${code}`;
  return `${new Date(time).toISOString()} ${remote} ${method} ${shown} ${status} ${sentBytes} ${durationMs}ms${why}`;
}

/** Something that is no request. */
export function note(time: number, text: string): void {
  writeMessage(`${new Date(time).toISOString()} ${text}\n`);
}
