/** AWS Signature Version 4 in request headers, as S3 and STS want it. Pure: the time comes in. */

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  /** Goes along with temporary credentials. */
  sessionToken?: string;
  /** When they stop working, in milliseconds since 1970; absent where they do not. */
  expires?: number;
}

export interface SigningScope {
  region: string;
  service: "s3" | "sts";
  /** Milliseconds since 1970, by the clock of the server. */
  at: number;
}

export interface Unsigned {
  method: string;
  /** Its path and query are signed as they stand, so they must be encoded by `awsEncoded`; the query in any order. */
  url: URL;
  /** Lower-case names. All of them are signed. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | undefined;
}

/** All headers to send: those given, the payload's hash, the time, the session's token and the signature. `host` is left to the client. */
export function signedHeaders(
  request: Unsigned,
  credentials: S3Credentials,
  scope: SigningScope,
): Record<string, string> {
  const time = new Date(scope.at).toISOString().replace(/[:-]|\.\d{3}/g, "");
  const headers: Record<string, string> = {
    ...request.headers,
    "x-amz-content-sha256": sha256(request.body ?? ""),
    "x-amz-date": time,
    ...(credentials.sessionToken === undefined ? {} : { "x-amz-security-token": credentials.sessionToken }),
  };
  const all: Record<string, string> = { ...headers, host: request.url.host };
  const names = Object.keys(all).sort();
  const canonical = [
    request.method,
    request.url.pathname,
    canonicalQuery(request.url),
    ...names.map((name) => `${name}:${all[name]?.trim().replace(/ +/g, " ")}`),
    "",
    names.join(";"),
    headers["x-amz-content-sha256"],
  ].join("\n");
  const day = time.slice(0, 8);
  const place = `${day}/${scope.region}/${scope.service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, place, sha256(canonical)].join("\n");
  let key: Uint8Array = Buffer.from(`AWS4${credentials.secretAccessKey}`);
  for (const part of place.split("/")) key = hmac(key, part);
  return {
    ...headers,
    authorization:
      `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${place},` +
      `SignedHeaders=${names.join(";")},Signature=${Buffer.from(hmac(key, text)).toString("hex")}`,
  };
}

/** Percent-encoded in the one way that signatures allow: everything but letters, digits and `-._~`. */
export function awsEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function canonicalQuery(url: URL): string {
  if (url.search === "") return "";
  return url.search
    .slice(1)
    .split("&")
    .map((part) => (part.includes("=") ? part : `${part}=`))
    .sort()
    .join("&");
}

function sha256(data: Uint8Array | string): string {
  return new Bun.CryptoHasher("sha256").update(data).digest("hex");
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return new Bun.CryptoHasher("sha256", key).update(text).digest();
}
