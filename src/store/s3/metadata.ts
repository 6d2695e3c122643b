/** Credentials that the machine itself hands out: to containers, and to instances in Amazon's cloud. */
import { readFileSync } from "node:fs";
import { quoted } from "../../core/quote.ts";
import type { HttpRequest } from "../../net/http.ts";
import { unreachable, unusableSettings } from "../failures.ts";
import type { CredentialWorld } from "./credentials.ts";
import { credentialsFromJson } from "./keys.ts";
import type { S3Credentials } from "./sign.ts";

const maxBytes = 1 << 16;

/** What AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI leads to; undefined where neither is set. */
export async function containerCredentials(world: CredentialWorld): Promise<S3Credentials | undefined> {
  const { env } = world;
  const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;
  const full = env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
  if (!relative && !full) return undefined;
  const url = URL.parse(relative ? `http://169.254.170.2${relative}` : (full ?? ""));
  if (url === null || !isTrusted(url)) {
    throw unusableSettings(
      "AWS_CONTAINER_CREDENTIALS_FULL_URI leads away from this machine without TLS",
      "use https, a loopback address or the address of the container's agent",
    );
  }
  const token = containerToken(env);
  const headers = token === undefined ? {} : { authorization: token };
  const answer = await world.nearby.send({ method: "GET", url, headers, maxBytes });
  if ("failed" in answer) throw unreachable(world.address, `needs credentials, but ${quoted(url.host)} ${answer.text}`);
  const text = new TextDecoder().decode(answer.body);
  const found = answer.status === 200 ? credentialsFromJson(text, "the container") : undefined;
  if (found === undefined) {
    throw unreachable(world.address, `needs credentials, but ${quoted(url.host)} answered ${answer.status} and none`);
  }
  return found;
}

/** The role of the instance, by the second version of the metadata service; undefined where there is none in a second or two. */
export async function instanceCredentials({ env, nearby }: CredentialWorld): Promise<S3Credentials | undefined> {
  if (env.AWS_EC2_METADATA_DISABLED?.toLowerCase() === "true") return undefined;
  const base = URL.parse(env.AWS_EC2_METADATA_SERVICE_ENDPOINT || "http://169.254.169.254");
  if (base === null || base.protocol !== "http:") return undefined;
  const text = async (request: Pick<HttpRequest, "method" | "headers">, path: string): Promise<string | undefined> => {
    const answer = await nearby.send({ ...request, url: new URL(path, base), maxBytes });
    return "failed" in answer || answer.status !== 200 ? undefined : new TextDecoder().decode(answer.body).trim();
  };
  const lifetime = { "x-aws-ec2-metadata-token-ttl-seconds": "21600" };
  const token = await text({ method: "PUT", headers: lifetime }, "/latest/api/token");
  if (token === undefined || !/^[\x21-\x7e]{1,1024}$/.test(token)) return undefined;
  const headers = { "x-aws-ec2-metadata-token": token };
  const folder = "/latest/meta-data/iam/security-credentials/";
  const role = (await text({ method: "GET", headers }, folder))?.split("\n")[0];
  if (role === undefined || !/^[\w+=,.@-]{1,128}$/.test(role)) return undefined;
  const json = await text({ method: "GET", headers }, `${folder}${role}`);
  return json === undefined ? undefined : credentialsFromJson(json, "the instance");
}

function isTrusted({ protocol, hostname }: URL): boolean {
  const near = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|169\.254\.170\.2|169\.254\.170\.23|\[fd00:ec2::23\])$/;
  return protocol === "https:" || (protocol === "http:" && near.test(hostname));
}

function containerToken(env: CredentialWorld["env"]): string | undefined {
  const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
  let token = env.AWS_CONTAINER_AUTHORIZATION_TOKEN || undefined;
  if (file) {
    try {
      token = readFileSync(file, "utf8").trim();
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? "unknown reason";
      const hint = "check AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
      throw unusableSettings(`the container's token ${quoted(file)} cannot be read (${code})`, hint, cause);
    }
  }
  if (token !== undefined && !/^[\x20-\x7e]+$/.test(token)) {
    throw unusableSettings("the container's token has a line break", "check AWS_CONTAINER_AUTHORIZATION_TOKEN");
  }
  return token;
}
