/** Which proxy leads to a URL, by the environment variables that most programs know. */
import { CspError } from "../core/errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, also in lower case, which wins. What it returns gives the
 * proxy for a URL, credentials and all, or undefined. Throws CSP_CONFIG for a proxy that is none.
 */
export function proxyFromEnvironment(env: Environment): (url: URL) => string | undefined {
  const variable = (name: string): string | undefined => env[name] || env[name.toUpperCase()] || undefined;
  const proxy = (name: string): string | undefined => {
    const text = variable(name) ?? variable("all_proxy");
    return text === undefined ? undefined : proxyUrl(text, name);
  };
  const proxies = { "http:": proxy("http_proxy"), "https:": proxy("https_proxy") };
  const exceptions = (variable("no_proxy") ?? "")
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== "");
  return (url) => {
    const found = url.protocol === "https:" ? proxies["https:"] : proxies["http:"];
    return found !== undefined && !isExcepted(url, exceptions) ? found : undefined;
  };
}

/** `example.com` excepts itself and all below it; `host:port` only that port; `*` everything. Lower case. */
export function isExcepted(url: URL, exceptions: readonly string[]): boolean {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return exceptions.some((entry) => {
    if (entry === "*") return true;
    const parts = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry);
    const bare = entry.split(":").length > 2 && !entry.startsWith("[");
    const name = (bare ? entry : (parts?.[1] ?? entry)).replace(/^\*?\./, "");
    if (!bare && parts?.[2] !== undefined && parts[2] !== port) return false;
    return host === name || host.endsWith(`.${name}`);
  });
}

/** The text is not shown: it may hold a password. */
function proxyUrl(text: string, name: string): string {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url && (url.protocol === "http:" || url.protocol === "https:")) return url.href;
  throw new CspError("CSP_CONFIG", {
    message: `the proxy of \`${name.toUpperCase()}\` is not the URL of an HTTP proxy`,
    hint: "write `http://proxy.example:3128`, and exceptions into `NO_PROXY`",
  });
}
