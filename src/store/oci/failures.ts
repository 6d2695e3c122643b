/** What an answer of a registry that is no success means. */
import { CspError } from "../../core/errors.ts";
import { quoted } from "../../core/quote.ts";
import type { StoreKey } from "../../core/store-key.ts";
import type { HttpAnswer, HttpFailure } from "../../net/http.ts";
import { retryAfterMs } from "../../net/retry-after.ts";
import { badAnswer, denied, lastingAnswer, noStore, readOnly, unreachable } from "../failures.ts";
import type { OciAddress } from "./address.ts";
import { loginHint } from "./auth.ts";

/** The first code of an error in the form of the specification; undefined for any other body. */
export function errorCode({ status, body }: HttpAnswer): string | undefined {
  if (status < 400 || body.byteLength === 0 || body.byteLength > 1 << 16) return undefined;
  try {
    const said = JSON.parse(new TextDecoder().decode(body)) as { errors?: readonly { code?: unknown }[] } | null;
    const code = said?.errors?.[0]?.code;
    return typeof code === "string" && /^[A-Z0-9_]{1,60}$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** No whole answer. */
export function noAnswer(address: OciAddress, { failed, text }: HttpFailure): CspError {
  if (failed === "too long" || failed === "redirect") return lastingAnswer(address.text, text);
  if (failed === "malformed") return badAnswer(address.text, text, stranger);
  const hint =
    failed === "tls"
      ? "name the file of your own authority in NODE_EXTRA_CA_CERTS, and check the clock"
      : failed === "connect"
        ? "check the address, the network and the proxy settings, then try again; registries without TLS take `insecure=true`"
        : undefined;
  return unreachable(address.text, text, hint);
}

/** Shown where something answers that is no registry. */
export const stranger = "check the address: a sign-in page, a proxy or another service may be answering there";

export interface Refused {
  answer: HttpAnswer;
  code: string | undefined;
  /** Completes "refused to …". */
  action: string;
  /** True for what changes the repository. */
  writes: boolean;
  /** True where a redirect led to another host. */
  elsewhere: boolean;
}

/** An answer that the caller has no use for. */
export function refused(address: OciAddress, { answer, code, action, writes, elsewhere }: Refused): CspError {
  const { status, headers } = answer;
  const what = code === undefined ? `${status}` : `${status} ${code}`;
  if (status === 429 || code === "TOOMANYREQUESTS") {
    return unreachable(address.text, `asks for fewer requests (${what})`, undefined, undefined, retryAfterMs(headers));
  }
  if (status === 408 || status === 425 || (status >= 500 && status !== 501)) {
    return unreachable(address.text, `answered ${what}`, undefined, undefined, retryAfterMs(headers));
  }
  if (status === 407) return unreachable(address.text, "is behind a proxy that wants credentials (407)");
  // Addresses that are good for minutes only.
  if (elsewhere && status < 500) return unreachable(address.text, `sent csp to a server that answered ${status}`);
  if (status === 401 || status === 403) return denied(address.text, `${action} (${what})`, loginHint);
  if (code === "NAME_UNKNOWN" || code === "NAME_INVALID") {
    return noStore(address.text, `has no such repository (${what})`, "make it there first, or check its name");
  }
  if (status === 413 || code === "SIZE_INVALID") {
    return lastingAnswer(address.text, `takes nothing of that size (${what})`, "raise its limit, or that of a proxy");
  }
  if (writes && (status === 405 || status === 501 || code === "UNSUPPORTED")) {
    return readOnly(address.text, `it does not take changes (${what})`);
  }
  if (writes && (status === 409 || code === "TAG_INVALID" || code === "MANIFEST_INVALID")) {
    const hint = "see that its tags may be overwritten, and that it takes OCI manifests of any type";
    return lastingAnswer(address.text, `answered ${what} when asked to ${action}`, hint);
  }
  const answered = status === 501 ? lastingAnswer : badAnswer;
  return answered(address.text, `answered ${what} when asked to ${action}`, stranger);
}

/** A release cannot be put together because the registry collected some of its blobs, or never had them. */
export function blobsMissing(address: OciAddress, keys: readonly StoreKey[]): CspError {
  const shown = keys.slice(0, 10).map((key) => `${quoted(key)} is not there`);
  const more = keys.length > shown.length ? [`and ${keys.length - shown.length} more`] : [];
  return new CspError("CSP_STORE_MISSING", {
    message: `the store \`${address.text}\` does not have ${keys.length} of the blobs that the release refers to`,
    details: [...shown, ...more],
    hint: "run `csp publish` again, which uploads them; `csp verify --store --repair` where older releases had them, too",
    data: { store: address.text, key: keys[0], keys },
  });
}
