/** When a server wants to be asked again. */

const longestMs = 3_600_000;

/** `Retry-After` in milliseconds, at most an hour; undefined where it is absent, none, or past. */
export function retryAfterMs(headers: Headers): number | undefined {
  const text = headers.get("retry-after")?.trim();
  if (!text) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? Math.min(ms, longestMs) : undefined;
}
