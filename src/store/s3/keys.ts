/** Credentials as they come from files, programs and services, checked before they are used. */
import type { CspError } from "../../core/errors.ts";
import { unusableSettings } from "../failures.ts";
import type { S3Credentials } from "./sign.ts";

export interface RawCredentials {
  id: unknown;
  secret: unknown;
  token?: unknown;
  /** A time in ISO form. */
  expiration?: unknown;
}

/** `where` says who gave them. Throws CSP_STORE_SETTINGS where a part is missing or cannot be sent; it quotes none of them. */
export function checkedCredentials(raw: RawCredentials, where: string): S3Credentials {
  const { id, secret, expiration } = raw;
  const token = raw.token === null || raw.token === "" ? undefined : raw.token;
  if (!isText(id) || !isText(secret)) throw incomplete(where, !isText(id) ? "access key id" : "secret access key");
  // They go into headers, where a line break would begin another one.
  const odd = [id, secret, token].some(
    (part) => part !== undefined && !(isText(part) && /^[\x21-\x7e]{1,8192}$/.test(part)),
  );
  if (odd) {
    throw unusableSettings(
      `the credentials of ${where} have characters that credentials do not have`,
      "look for blanks, quotes and line breaks that came along when they were copied",
    );
  }
  const expires = typeof expiration === "string" ? Date.parse(expiration) : Number.NaN;
  return {
    accessKeyId: id,
    secretAccessKey: secret,
    ...(isText(token) ? { sessionToken: token } : {}),
    ...(Number.isFinite(expires) ? { expires } : {}),
  };
}

/** The same from `{"AccessKeyId", "SecretAccessKey", "Token" or "SessionToken", "Expiration"}`; undefined for other JSON. */
export function credentialsFromJson(text: string, where: string): S3Credentials | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("AccessKeyId" in value)) return undefined;
  const fields = value as Record<string, unknown>;
  return checkedCredentials(
    {
      id: fields.AccessKeyId,
      secret: fields.SecretAccessKey,
      token: fields.SessionToken ?? fields.Token,
      expiration: fields.Expiration,
    },
    where,
  );
}

function incomplete(where: string, part: string): CspError {
  return unusableSettings(`the credentials of ${where} lack the ${part}`, "give both the id and the secret");
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
