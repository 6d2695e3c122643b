/** What an answer of S3 that is no success means. */
import type { CspError } from "../../core/errors.ts";
import type { HttpAnswer, HttpFailure } from "../../net/http.ts";
import { retryAfterMs } from "../../net/retry-after.ts";
import { badAnswer, denied, lastingAnswer, noStore, unreachable } from "../failures.ts";
import { isRegion, type S3Address } from "./address.ts";
import { readXml, textOf } from "./xml.ts";

/** An answer, and what S3 says about it in its own words. */
export interface S3Answer extends HttpAnswer {
  /** Error code; undefined where the body is no error of S3, as with HEAD. */
  code: string | undefined;
  /** The region of the bucket, where the answer names one. */
  region: string | undefined;
}

export function s3Answer(answer: HttpAnswer): S3Answer {
  if (answer.status < 300) return { ...answer, code: undefined, region: undefined };
  const small = answer.body.byteLength > 0 && answer.body.byteLength <= 1 << 16;
  const root = small ? readXml(new TextDecoder().decode(answer.body)) : undefined;
  const error = root?.name === "Error" ? root : undefined;
  const code = textOf(error, "Code")?.trim();
  const region = answer.headers.get("x-amz-bucket-region") ?? textOf(error, "Region")?.trim();
  return {
    ...answer,
    code: code !== undefined && /^[A-Za-z0-9.]{1,60}$/.test(code) ? code : undefined,
    region: region !== undefined && isRegion(region) ? region : undefined,
  };
}

/** No answer. */
export function noAnswer(address: S3Address, failure: HttpFailure): CspError {
  if (failure.failed === "too long") return lastingAnswer(address.text, failure.text);
  const hint =
    failure.failed === "tls"
      ? "check the endpoint; AWS_CA_BUNDLE names the certificates of an authority of your own"
      : failure.failed === "connect"
        ? "check the endpoint or region, the network and the proxy settings, then try again"
        : undefined;
  return unreachable(address.text, failure.text, hint);
}

/** An answer that the caller has no use for. `action` completes "refused to …"; `region` is the one that was asked. */
export function s3Failure(address: S3Address, answer: S3Answer, action: string, region: string): CspError {
  const { status, code } = answer;
  const elsewhere = answer.region === undefined || answer.region === region ? undefined : answer.region;
  const what = code === undefined ? `${status}` : `${status} ${code}`;
  if (code === "NoSuchBucket" || code === "InvalidBucketName") {
    const hint = "check the bucket's name, the endpoint and the region; csp makes no buckets";
    return noStore(address.text, `has no bucket \`${address.bucket}\``, hint);
  }
  if (isTemporary(answer)) {
    return unreachable(address.text, `answered ${what}`, undefined, undefined, retryAfterMs(answer.headers));
  }
  if (elsewhere !== undefined && status >= 300 && status <= 400) return otherRegion(address, elsewhere);
  if (status >= 300 && status < 400) {
    return badAnswer(address.text, `answered with a redirect (${what}), which is not followed`, stranger);
  }
  if (status === 401 || status === 403 || expired.has(code ?? "")) {
    return denied(address.text, `${action} (${what})`, hintFor(code, address));
  }
  if (status === 407) return unreachable(address.text, "is behind a proxy that wants credentials (407)");
  const answered = status === 501 ? lastingAnswer : badAnswer;
  return answered(address.text, `answered ${what} when asked to ${action}`, stranger);
}

/** Shown where something answers that is not S3. */
export const stranger = "check the endpoint: a sign-in page, a proxy or another service may be answering there";

/** Codes after which newer credentials may do. */
export const expired: ReadonlySet<string> = new Set([
  "ExpiredToken",
  "ExpiredTokenException",
  "TokenRefreshRequired",
  "InvalidAccessKeyId",
  "InvalidToken",
]);

function isTemporary({ status, code }: S3Answer): boolean {
  if (status === 501 || status === 505) return false;
  return (
    status >= 500 ||
    status === 409 ||
    status === 429 ||
    status === 408 ||
    code === "RequestTimeout" ||
    code === "SlowDown"
  );
}

function otherRegion(address: S3Address, region: string): CspError {
  const hint = `use \`region=${region}\` in the address or AWS_REGION=${region}, and an endpoint of that region if one is set`;
  return noStore(address.text, `is in the region \`${region}\``, hint);
}

function hintFor(code: string | undefined, { bucket, prefix }: S3Address): string {
  switch (code) {
    case "SignatureDoesNotMatch":
      return "the secret access key does not belong to the access key id, or a proxy changes requests";
    case "InvalidAccessKeyId":
      return "the service does not know the access key id: check the credentials, and that the endpoint is theirs";
    case "RequestTimeTooSkewed":
    case "RequestExpired":
      return "set the clock of this machine";
    default:
      break;
  }
  if (code !== undefined && expired.has(code)) return "the session token expired or is not valid: get a new one";
  return (
    `allow s3:GetObject on \`${bucket}/${prefix}*\` and s3:ListBucket on \`${bucket}\` (without that one even an absent ` +
    "object is refused), and s3:PutObject where it is written, s3:DeleteObject where it is collected"
  );
}
