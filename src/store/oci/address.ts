/** The address of a store in a registry, `oci://registry.example.com[:port]/repository?…`, as a type. */
import { CspError } from "../../core/errors.ts";
import { quoted } from "../../core/quote.ts";

export interface OciAddress {
  /** `https://registry.example.com`, where its API is. */
  origin: string;
  /** Below what the API has its paths: `https://registry.example.com/v2/team/scripts/`. */
  base: string;
  /** Host, with a port where one was written, as credential files name it. The first is the usual one. */
  names: readonly string[];
  repository: string;
  /** Other hosts, with their ports, that may ask for the credentials or take uploads. */
  trusted: ReadonlySet<string>;
  /** The whole address again, in one form, for messages. It holds no credentials. */
  text: string;
}

const example = "write it as `oci://registry.example.com/team/scripts`";
const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
/** Docker Hub has one name for people, one for credentials and one for machines. */
const hub = { hosts: ["docker.io", "index.docker.io", "registry-1.docker.io"], api: "registry-1.docker.io" };

/** Throws CSP_STORE_ADDRESS for what is no such address, and for one that carries credentials. */
export function parseOciAddress(address: string): OciAddress {
  const [, authority = "", path = "", query] = /^oci:\/\/([^/?#]*)\/?([^?#]*)(?:\?([^#]*))?$/i.exec(address) ?? [];
  if (authority.includes("@")) {
    throw refusal(
      "the address of the registry carries credentials",
      "log in with `docker login`, `oras login` or the like, which keep credentials where csp finds them",
    );
  }
  const url = URL.parse(`https://${authority}/`);
  if (authority === "" || url === null || /[^\x21-\x7e]|%/.test(authority)) {
    throw refusal(`${quoted(address)} names no registry`, example);
  }
  const repository = path.replace(/\/+$/, "");
  if (/[:@]/.test(repository)) {
    throw refusal(`${quoted(address)} has a tag or a digest`, "leave it out: csp makes the tags in the repository");
  }
  if (!repositoryPattern.test(repository) || repository.length > 255) {
    throw refusal(
      `${quoted(address)} names no repository`,
      `${example}; repositories have lower-case letters, digits and \`._-/\``,
    );
  }
  const { insecure, trust } = parametersOf(address, query ?? "");
  const host = authority.toLowerCase();
  const isPlain = insecure ?? isLoopback(url.hostname);
  const isHub = hub.hosts.includes(host);
  const origin = new URL(`${isPlain ? "http" : "https"}://${isHub ? hub.api : host}`).origin;
  const shown = [
    ...(insecure === undefined ? [] : [`insecure=${insecure}`]),
    ...(trust.length === 0 ? [] : [`trust=${trust.join(",")}`]),
  ];
  return {
    origin,
    base: `${origin}/v2/${repository}/`,
    names: isHub ? ["index.docker.io", "docker.io"] : [host],
    repository,
    trusted: new Set(trust),
    text: `oci://${host}/${repository}${shown.length === 0 ? "" : `?${shown.join("&")}`}`,
  };
}

/** True for this machine by name or number: plain HTTP there is seen by nobody else. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function parametersOf(address: string, query: string): { insecure: boolean | undefined; trust: string[] } {
  let insecure: boolean | undefined;
  const trust: string[] = [];
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === "insecure" && insecure === undefined && /^(?:true|false)$/.test(value)) insecure = value === "true";
    else if (name === "trust") trust.push(...value.split(",").map((host) => hostOf(address, host)));
    else {
      throw refusal(
        `the address ${quoted(address)} has the parameter ${quoted(name)}, which is unknown, there twice or has an odd value`,
        "known are `insecure=true`, `insecure=false` and `trust=auth.example.com,uploads.example.com`",
      );
    }
  }
  return { insecure, trust };
}

function hostOf(address: string, text: string): string {
  const host = text.trim().toLowerCase();
  if (/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/.test(host)) return host;
  throw refusal(`\`trust\` in ${quoted(address)} has ${quoted(text)}`, "write hosts such as `auth.example.com`");
}

function refusal(message: string, hint: string): CspError {
  return new CspError("CSP_STORE_ADDRESS", { message, hint });
}
