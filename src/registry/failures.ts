/** What a failed request means for the user. No message holds a credential, a query string or control characters. */
import { CspError } from "../core/errors.ts";
import { type Credentials, tokenKey } from "./credentials.ts";

/** What was asked for, for messages. */
export interface Subject {
  /** "`name`" or "`name@version`", back-quoted. */
  what: string;
  registryUrl: string;
}

/** The registry answered 401 or 403. */
export function authRefused(subject: Subject, url: URL, status: number, sent: Credentials | undefined): CspError {
  const registry = showUrl(subject.registryUrl);
  const key = tokenKey(subject.registryUrl);
  if (status === 407) {
    return new CspError("CSP_REGISTRY_AUTH", {
      message: `the proxy on the way to \`${registry}\` wants credentials`,
      hint: "write them into the proxy's URL in your own ~/.npmrc or in HTTPS_PROXY",
      data: { registry, status },
    });
  }
  return new CspError("CSP_REGISTRY_AUTH", {
    message: `the registry \`${registry}\` refused ${subject.what} with status ${status}`,
    details: [
      sent ? `sent: the ${sent.kind === "token" ? "token" : "password"} of ${sent.source}` : "sent: no credentials",
      ...(new URL(subject.registryUrl).host === url.host ? [] : [`refused by: ${showUrl(url)}`]),
    ],
    hint: sent
      ? `renew the credentials of ${sent.source}, and check that they may read ${subject.what}`
      : `write a token to \`${key}\` in your own ~/.npmrc: \`npm login --registry ${registry}\``,
    data: { registry, status, key },
  });
}

/** The registry answered 404 or 410. */
export function notFound(subject: Subject, url: URL, status: number, sent: Credentials | undefined): CspError {
  const registry = showUrl(subject.registryUrl);
  return new CspError("CSP_REGISTRY_NOT_FOUND", {
    message: `the registry \`${registry}\` does not have ${subject.what}`,
    details: [`status ${status} for ${showUrl(url)}`],
    hint: sent
      ? "check the name and version, and whether the token may read it"
      : `check the name and version; if it is private, \`${tokenKey(subject.registryUrl)}\` in ~/.npmrc must hold a token`,
    data: { registry, status },
  });
}

/** No usable answer came; trying again may help. */
export function unreachable(subject: Subject, url: URL, problem: string, hint?: string): CspError {
  const registry = showUrl(subject.registryUrl);
  return new CspError("CSP_REGISTRY_UNREACHABLE", {
    message: `the registry \`${registry}\` ${problem}`,
    details: [`asked for ${subject.what} at ${showUrl(url)}`],
    hint: hint ?? "check the network, the proxy settings and the registry's state, then try again",
    data: { registry },
  });
}

/** An answer came, and it is not what was asked for. `problem` completes "the answer for `x` …". */
export function badAnswer(
  subject: Subject,
  url: URL | string,
  problem: string,
  hint?: string,
  status?: number,
): CspError {
  return new CspError("CSP_REGISTRY_ANSWER", {
    message: `the answer for ${subject.what} ${problem}`,
    details: [`from ${showUrl(url)}`],
    ...(hint === undefined ? {} : { hint }),
    data: { registry: showUrl(subject.registryUrl), ...(status === undefined ? {} : { status }) },
  });
}

/** An HTML page where data was asked for. */
export function htmlAnswer(subject: Subject, url: URL): CspError {
  return badAnswer(
    subject,
    url,
    "is an HTML page",
    "a sign-in page of the network or proxy may be in between, or the registry's URL lacks a part of its path",
  );
}

/** `--offline` forbids the request. */
export function offlineRefused(subject: Subject): CspError {
  return new CspError("CSP_OFFLINE", {
    message: `${subject.what} is needed from the registry, and \`--offline\` forbids that`,
    hint: "run the command once without `--offline`",
    data: { registry: showUrl(subject.registryUrl) },
  });
}

/** What an error thrown by `fetch` or by reading a body means. Its own text is left out: it may quote whole URLs. */
export function networkFailure(subject: Subject, url: URL, error: unknown): { failure: CspError; retry: boolean } {
  const raw = (error as { code?: unknown } | null)?.code;
  const code = typeof raw === "string" && /^[A-Za-z_0-9]{1,60}$/.test(raw) ? raw : "unknown reason";
  if (/CERT|TLS|SSL|ISSUER|SIGNATURE/i.test(code)) {
    const hint =
      "if the registry has a certificate of your own authority, set `cafile` in ~/.npmrc or NODE_EXTRA_CA_CERTS";
    return {
      failure: unreachable(subject, url, `has a certificate that is not trusted (${code})`, hint),
      retry: false,
    };
  }
  const problem =
    code === "ECONNRESET"
      ? "closed the connection before the answer was complete (ECONNRESET)"
      : code === "ECONNREFUSED"
        ? "accepts no connection (ECONNREFUSED)"
        : code === "ENOTFOUND"
          ? "has a host name that does not resolve (ENOTFOUND)"
          : `cannot be reached (${code})`;
  return { failure: unreachable(subject, url, problem), retry: true };
}

/** Origin and path of a URL: no user, password, query or fragment, as these may be secrets. */
export function showUrl(url: URL | string): string {
  const parsed = typeof url === "string" ? URL.parse(url) : url;
  return parsed ? `${parsed.origin}${parsed.pathname}` : "(not a URL)";
}
