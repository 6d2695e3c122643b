/** Following redirects without giving credentials away. */
import type { Http, HttpAnswer, HttpFailure, HttpRequest } from "./http.ts";

/** An answer that is no redirect, and the URL that gave it. */
export interface Arrival {
  answer: HttpAnswer;
  url: URL;
}

const limit = 5;
const redirects = [301, 302, 303, 307, 308];

/**
 * Sends a GET or HEAD and follows at most five redirects. `own` are the headers that only the origin of the request may see
 * (credentials). From https to http, in a circle, or to a URL with credentials is the failure "redirect".
 */
export async function sendFollowing(
  http: Http,
  request: HttpRequest & { method: "GET" | "HEAD" },
  own: Readonly<Record<string, string>>,
): Promise<Arrival | HttpFailure> {
  const visited = new Set<string>();
  for (let url = request.url; ; ) {
    if (visited.has(url.href)) return { failed: "redirect", text: "redirects in a circle" };
    if (visited.size > limit) return { failed: "redirect", text: `redirects more than ${limit} times` };
    visited.add(url.href);
    const headers = { ...request.headers, ...(url.origin === request.url.origin ? own : {}) };
    const answer = await http.send({ ...request, url, headers });
    if ("failed" in answer) return answer;
    if (!redirects.includes(answer.status)) return { answer, url };
    const target = redirectTarget(url, answer.headers);
    if (typeof target === "string") return { failed: "redirect", text: target };
    url = target;
  }
}

/** Where a redirect leads, without fragment; or why it is not followed, as "the server …" goes on. */
export function redirectTarget(from: URL, headers: Headers): URL | string {
  const location = headers.get("location");
  const target = location === null ? null : URL.parse(location, from.href);
  if (!target || (target.protocol !== "http:" && target.protocol !== "https:") || target.username || target.password) {
    return "redirects to something that is not a plain URL";
  }
  if (from.protocol === "https:" && target.protocol === "http:") return "redirects from https to http";
  target.hash = "";
  return target;
}
