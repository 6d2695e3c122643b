/** The address of a store in a bucket, `s3://bucket/prefix?endpoint=…&region=…&pathStyle=true&profile=…`, as a type. */
import { CspError } from "../../core/errors.ts";
import { quoted } from "../../core/quote.ts";

export interface S3Address {
  bucket: string;
  /** Parts of keys in front of all others, with a `/` at its end; empty for none. */
  prefix: string;
  /** Where the service is, if not where the environment or Amazon has it. */
  endpoint?: URL;
  region?: string;
  pathStyle?: boolean;
  profile?: string;
  /** The whole address again, in one form, for messages. It holds no credentials. */
  text: string;
}

const example = "write it as `s3://bucket/prefix` or `s3://bucket/prefix?endpoint=https://s3.example.com`";
const parameters = ["endpoint", "region", "pathStyle", "profile"] as const;

/** Throws CSP_STORE_ADDRESS for what is no such address, and for one that carries credentials. */
export function parseS3Address(address: string): S3Address {
  const [, authority = "", path = "", query] = /^s3:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(address) ?? [];
  if (authority.includes("@")) {
    throw refusal("the address of an S3 store carries credentials", credentialsHint);
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(authority) || authority.includes("..")) {
    throw refusal(`${quoted(address)} names no bucket`, example);
  }
  const parts = path.split("/").filter((part) => part !== "");
  for (const part of parts) {
    // What a URL would lose or decode on its way must not be part of a key.
    if (!/^[A-Za-z0-9!_.'()@=+,:~-]{1,255}$/.test(part) || /^\.\.?$/.test(part)) {
      throw refusal(`the prefix in ${quoted(address)} has the part ${quoted(part)}`, "use letters, digits and `-_.`");
    }
  }
  if (path.length > 512) throw refusal(`the prefix in ${quoted(address)} is too long`, "use at most 512 characters");
  const given = parametersOf(address, query ?? "");
  const prefix = parts.map((part) => `${part}/`).join("");
  const shown = parameters.flatMap((name) => {
    const value = given.get(name);
    return value === undefined
      ? []
      : [`${name}=${encodeURIComponent(value).replace(/%(?:3A|2F)/g, decodeURIComponent)}`];
  });
  const place = `s3://${authority}${parts.map((part) => `/${part}`).join("")}`;
  const endpoint = given.get("endpoint");
  const region = given.get("region");
  const pathStyle = given.get("pathStyle");
  const profile = given.get("profile");
  if (pathStyle !== undefined && !/^(?:true|false)$/.test(pathStyle)) {
    throw refusal(
      `\`pathStyle\` in ${quoted(place)} is ${quoted(pathStyle)}`,
      "write `pathStyle=true` or `pathStyle=false`",
    );
  }
  return {
    bucket: authority,
    prefix,
    text: shown.length === 0 ? place : `${place}?${shown.join("&")}`,
    ...(endpoint === undefined ? {} : { endpoint: parseEndpoint(endpoint, `\`endpoint\` in ${quoted(place)}`) }),
    ...(region === undefined ? {} : { region: parseRegion(region, `\`region\` in ${quoted(place)}`) }),
    ...(pathStyle === undefined ? {} : { pathStyle: pathStyle === "true" }),
    ...(profile === undefined ? {} : { profile }),
  };
}

/** The URL of an S3 service, perhaps with a path. `where` begins the message about anything else. */
export function parseEndpoint(text: string, where: string): URL {
  // Before anything is quoted, and also where a URL was meant.
  if (text.includes("@")) throw refusal(`${where} carries credentials`, credentialsHint);
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw refusal(`${where} is ${quoted(text)}`, "write a URL such as `https://s3.example.com`");
  }
  if (url.search !== "" || url.hash !== "") throw refusal(`${where} has a query or a fragment`, "leave it out");
  if (!/^[A-Za-z0-9._~/-]*$/.test(url.pathname))
    throw refusal(`${where} has an odd path`, "use letters, digits and `-_.`");
  return url;
}

/** True for what can be a region: one label of a host name. */
export function isRegion(text: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(text);
}

/** `where` begins the message about what is no region. */
export function parseRegion(text: string, where: string): string {
  if (!isRegion(text)) throw refusal(`${where} is ${quoted(text)}`, "write a region such as `eu-central-1`");
  return text;
}

const credentialsHint =
  "put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or into a profile of `~/.aws/credentials`";

function parametersOf(address: string, query: string): Map<string, string> {
  const given = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!(parameters as readonly string[]).includes(name)) {
      const secret = /key|secret|token|password/i.test(name);
      throw refusal(
        `the address ${quoted(address)} has the unknown parameter ${quoted(name)}`,
        secret ? credentialsHint : `known are ${parameters.map((known) => `\`${known}\``).join(", ")}`,
      );
    }
    if (given.has(name)) throw refusal(`the address ${quoted(address)} has \`${name}\` twice`, "write it once");
    if (value !== "") given.set(name, value);
  }
  return given;
}

function refusal(message: string, hint: string): CspError {
  return new CspError("CSP_STORE_ADDRESS", { message, hint });
}
