/** What a registry says with 401: how to prove who one is, and at which service. The text is hostile. */
import { isLoopback, type OciAddress } from "./address.ts";

export interface Challenge {
  /** Lower case: `basic`, `bearer`. */
  scheme: string;
  /** Names in lower case. */
  parameters: ReadonlyMap<string, string>;
}

const longest = 8192;

/** Reads `WWW-Authenticate`, which may hold several challenges. Stops where it is no longer one. */
export function parseChallenges(header: string | null): Challenge[] {
  const text = (header ?? "").slice(0, longest);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+)))?/y;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [, name = "", inQuotes, bare] = match;
    const value = inQuotes?.replace(/\\(.)/g, "$1") ?? bare;
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  return challenges;
}

/** Where tokens come from. */
export interface TokenService {
  realm: URL;
  service: string | undefined;
}

/** The service of a bearer challenge; undefined where its realm is no URL that can be asked at all from this registry. */
export function tokenService({ parameters }: Challenge, address: OciAddress): TokenService | undefined {
  const realm = URL.parse(parameters.get("realm") ?? "");
  if (realm === null || realm.username !== "" || realm.password !== "") return undefined;
  const isPlain = realm.protocol === "http:" && address.origin.startsWith("http:");
  if (realm.protocol !== "https:" && !isPlain) return undefined;
  // A registry out there has no business with services on this machine.
  if (isLoopback(realm.hostname) && !isLoopback(new URL(address.origin).hostname)) return undefined;
  realm.hash = "";
  return { realm, service: parameters.get("service") };
}

/**
 * True where a token service may be given the credentials for the registry: on the registry's own host, on a host beside,
 * above or below it in one domain, or on one that the address trusts.
 */
export function mayHaveCredentials(realm: URL, address: OciAddress): boolean {
  if (address.trusted.has(realm.host)) return true;
  const [one, other] = [realm.hostname, new URL(address.origin).hostname];
  if (one === other) return true;
  // Names in the clear can be anybody's.
  if (realm.protocol !== "https:" || isNumber(one) || isNumber(other)) return false;
  return domainOf(one) === domainOf(other);
}

function isNumber(hostname: string): boolean {
  return hostname.startsWith("[") || /^[\d.]+$/.test(hostname);
}

/** The part of a name that one owner has, as far as its look tells: `example.com`, `example.co.uk`. */
function domainOf(hostname: string): string {
  const labels = hostname.split(".");
  const [second = "", top = ""] = labels.slice(-2);
  const isShared = top.length === 2 && second.length <= 3;
  return labels.slice(isShared ? -3 : -2).join(".");
}
