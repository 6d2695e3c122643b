/** Temporary credentials from the token service: a role assumed with other credentials, or with a token of a cluster or CI. */
import { readFileSync } from "node:fs";
import type { CspError } from "../../core/errors.ts";
import { quoted } from "../../core/quote.ts";
import { denied, unreachable, unusableSettings } from "../failures.ts";
import type { CredentialWorld } from "./credentials.ts";
import { checkedCredentials } from "./keys.ts";
import { awsEncoded, type S3Credentials, signedHeaders } from "./sign.ts";
import { childOf, readXml, textOf } from "./xml.ts";

/** The service refuses what is more than 15 minutes off. */
const noticeableSkew = 10 * 60_000;

export interface Role {
  arn: string;
  /** A name for logs of the service. */
  session: string;
  externalId?: string;
  seconds?: number;
}

/** Throws CSP_STORE_SETTINGS, CSP_STORE_DENIED or CSP_STORE_UNREACHABLE. */
export function assumeRole(world: CredentialWorld, role: Role, using: S3Credentials): Promise<S3Credentials> {
  return ask(world, "AssumeRole", role, {}, using);
}

/** The token is read from its file at each call, for whoever keeps it there renews it. */
export async function webIdentityCredentials(world: CredentialWorld, file: string, role: Role): Promise<S3Credentials> {
  if (role.arn === "") {
    throw unusableSettings(
      "there is a web identity token, but no role",
      "set AWS_ROLE_ARN beside AWS_WEB_IDENTITY_TOKEN_FILE",
    );
  }
  let token: string;
  try {
    token = readFileSync(file, "utf8").trim();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown reason";
    throw unusableSettings(
      `the web identity token ${quoted(file)} cannot be read (${code})`,
      "check AWS_WEB_IDENTITY_TOKEN_FILE",
      cause,
    );
  }
  return ask(world, "AssumeRoleWithWebIdentity", role, { WebIdentityToken: token }, undefined);
}

async function ask(
  world: CredentialWorld,
  action: "AssumeRole" | "AssumeRoleWithWebIdentity",
  role: Role,
  more: Readonly<Record<string, string>>,
  using: S3Credentials | undefined,
): Promise<S3Credentials> {
  const { endpoint, region } = world.sts;
  const fields: Record<string, string> = {
    Action: action,
    Version: "2011-06-15",
    RoleArn: role.arn,
    RoleSessionName: role.session,
    ...(role.externalId === undefined ? {} : { ExternalId: role.externalId }),
    ...(role.seconds === undefined ? {} : { DurationSeconds: String(role.seconds) }),
    ...more,
  };
  const form = Object.entries(fields).map(([name, value]) => `${awsEncoded(name)}=${awsEncoded(value)}`);
  const body = Buffer.from(form.join("&"));
  const headers = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
  const send = (at: number) => {
    const scope = { region, service: "sts", at } as const;
    const signed =
      using === undefined ? headers : signedHeaders({ method: "POST", url: endpoint, headers, body }, using, scope);
    return world.http.send({ method: "POST", url: endpoint, headers: signed, body, maxBytes: 1 << 20 });
  };
  let answer = await send(Date.now());
  if (using !== undefined && "status" in answer && answer.status >= 400 && answer.status < 500) {
    // The clock of this machine may be off: once more by the service's own.
    const theirs = Date.parse(answer.headers.get("date") ?? "");
    if (Math.abs(theirs - Date.now()) > noticeableSkew) answer = await send(theirs);
  }
  const host = quoted(endpoint.host);
  if ("failed" in answer) {
    throw unreachable(world.address, `needs temporary credentials, but the token service ${host} ${answer.text}`);
  }
  const xml = readXml(new TextDecoder().decode(answer.body));
  if (answer.status !== 200) throw refused(world, host, answer.status, textOf(childOf(xml, "Error"), "Code"));
  const found = childOf(childOf(xml, `${action}Result`), "Credentials");
  if (found === undefined) {
    throw unreachable(world.address, `needs temporary credentials, but ${host} answered something else`);
  }
  return checkedCredentials(
    {
      id: textOf(found, "AccessKeyId"),
      secret: textOf(found, "SecretAccessKey"),
      token: textOf(found, "SessionToken"),
      expiration: textOf(found, "Expiration"),
    },
    `the token service ${host}`,
  );
}

function refused(world: CredentialWorld, host: string, status: number, code: string | undefined): CspError {
  const what = `${status}${code !== undefined && /^\w{1,60}$/.test(code) ? ` ${code}` : ""}`;
  if (status === 429 || status >= 500 || code === "Throttling" || code === "IDPCommunicationError") {
    return unreachable(world.address, `needs temporary credentials, but the token service ${host} answered ${what}`);
  }
  return denied(
    world.address,
    `give access: the token service ${host} answered ${what}`,
    "check the role's name, its trust policy and how old the token is",
  );
}
