/** Proving to a registry who asks: nothing, a password, or tokens of the service that the registry names. */
import type { Http, HttpAnswer } from "../../net/http.ts";
import { retryAfterMs } from "../../net/retry-after.ts";
import { badAnswer, denied, unreachable } from "../failures.ts";
import type { OciAddress } from "./address.ts";
import { mayHaveCredentials, parseChallenges, type TokenService, tokenService } from "./challenge.ts";
import type { CredentialSource, OciCredentials } from "./credentials.ts";

/** What a request does; each includes those before. */
export type Access = "pull" | "push" | "delete";

const scopes: Readonly<Record<Access, string>> = { pull: "pull", push: "pull,push", delete: "pull,push,delete" };
const levels: readonly Access[] = ["pull", "push", "delete"];

export interface OciAuth {
  /** The header `authorization` for a request to the registry; undefined for none. */
  header(access: Access): Promise<string | undefined>;
  /** After a 401, given the header that was sent: true where another try may be answered otherwise. */
  learn(answer: HttpAnswer, access: Access, sent: string | undefined): Promise<boolean>;
}

interface Token {
  header: string;
  /** On the clock of `performance`. */
  expires: number;
}

export const loginHint =
  "log in with `docker login`, `oras login`, `skopeo login` or the like, as a user who may do it";

const maxTokenBytes = 1 << 18;
/** A token that ends before a request arrives is of no use. */
const marginMs = 10_000;

export function createOciAuth(address: OciAddress, http: Http, source: CredentialSource, userAgent: string): OciAuth {
  let service: TokenService | undefined;
  let asked = false;
  const tokens = new Map<Access, Promise<Token>>();

  const token = async (at: TokenService, access: Access): Promise<Token> => {
    for (const level of levels.slice(levels.indexOf(access))) {
      const known = await tokens.get(level);
      if (known !== undefined && known.expires > performance.now()) return known;
    }
    const fetched = fetchToken(at, access);
    tokens.set(access, fetched);
    fetched.catch(() => {
      if (tokens.get(access) === fetched) tokens.delete(access);
    });
    return fetched;
  };

  const fetchToken = async (at: TokenService, access: Access): Promise<Token> => {
    const credentials = await source.find();
    if (credentials !== undefined && !mayHaveCredentials(at.realm, address)) {
      throw denied(
        address.text,
        "take the credentials itself, and names a token service that is not known to be its own",
        `if \`${at.realm.host}\` is its own, add \`trust=${at.realm.host}\` to the store's address`,
      );
    }
    const started = performance.now();
    const answer = await http.send(tokenRequest(at, `repository:${address.repository}:${scopes[access]}`, credentials));
    if ("failed" in answer) throw unreachable(address.text, "has a token service that gives no answer");
    const { status } = answer;
    if (status === 400 || status === 401 || status === 403) {
      throw denied(address.text, `give a token (status ${status} of its token service)`, loginHint);
    }
    if (status === 429 || status >= 500) {
      const problem = `has a token service that failed with status ${status}`;
      throw unreachable(address.text, problem, undefined, undefined, retryAfterMs(answer.headers));
    }
    const given = status === 200 ? readToken(answer.body) : undefined;
    if (given === undefined) throw badAnswer(address.text, `has a token service that gave no token (status ${status})`);
    return { header: `Bearer ${given.token}`, expires: started + Math.max(given.lifeMs - marginMs, marginMs) };
  };

  const tokenRequest = (at: TokenService, scope: string, credentials: OciCredentials | undefined) => {
    const fields = { ...(at.service === undefined ? {} : { service: at.service }), scope };
    const headers = { "user-agent": userAgent, accept: "application/json" };
    if (credentials?.kind === "identity") {
      const form = { grant_type: "refresh_token", client_id: "csp", refresh_token: credentials.token, ...fields };
      return {
        method: "POST" as const,
        url: at.realm,
        headers: { ...headers, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams(form).toString(),
        maxBytes: maxTokenBytes,
      };
    }
    const url = new URL(at.realm);
    for (const [name, value] of Object.entries(fields)) url.searchParams.append(name, value);
    const authorization = credentials?.kind === "password" ? { authorization: basic(credentials) } : {};
    return { method: "GET" as const, url, headers: { ...headers, ...authorization }, maxBytes: maxTokenBytes };
  };

  return {
    async header(access) {
      if (service !== undefined) return (await token(service, access)).header;
      // Sent unasked where it is at hand, as a password does: that saves the look that changed nothing a request.
      return headerOf(asked ? await source.find() : source.written());
    },
    async learn({ headers }, access, sent) {
      const challenges = parseChallenges(headers.get("www-authenticate"));
      const bearer = challenges.find(({ scheme }) => scheme === "bearer");
      const isBasic = challenges.some(({ scheme }) => scheme === "basic");
      const own = bearer === undefined ? undefined : tokenService(bearer, address);
      if (own !== undefined && (await source.find())?.kind !== "bearer") {
        service = own;
        // Whoever was refused with it asks for another one; that may have happened already.
        for (const level of levels.slice(levels.indexOf(access))) {
          const known = await tokens.get(level)?.catch(() => undefined);
          if (known === undefined || known.header === sent) tokens.delete(level);
        }
        return true;
      }
      if (!isBasic && bearer === undefined) return false;
      asked = true;
      service = undefined;
      const found = headerOf(await source.find());
      if (found !== sent) return found !== undefined;
      const other = headerOf(await source.again());
      return other !== undefined && other !== sent;
    },
  };
}

function headerOf(credentials: OciCredentials | undefined): string | undefined {
  if (credentials?.kind === "password") return basic(credentials);
  return credentials?.kind === "bearer" ? `Bearer ${credentials.token}` : undefined;
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

/** Tokens without a life last a minute, by the specification. */
function readToken(body: Uint8Array): { token: string; lifeMs: number } | undefined {
  let said: { token?: unknown; access_token?: unknown; expires_in?: unknown } | null;
  try {
    said = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
  const token = said?.token || said?.access_token;
  if (typeof token !== "string" || !/^[\x21-\x7e]{1,65536}$/.test(token)) return undefined;
  const seconds = Number(said?.expires_in);
  return { token, lifeMs: (Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 86_400) : 60) * 1000 };
}
