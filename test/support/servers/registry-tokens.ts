/** A token service as registries name it: passwords or refresh tokens in, short-lived signed tokens out. */
import { createPrivateKey, sign } from "node:crypto";
import { selfSigned } from "../certificate.ts";

export interface TokenServer {
  realm: string;
  service: string;
  issuer: string;
  /** PEM; whoever has it can verify the tokens. */
  certificate: string;
  /** What it was asked. */
  readonly seen: readonly { method: string; authorization: string | null; scope: string; user: string | undefined }[];
  /** Seconds that tokens last from now on; default 300. */
  lifetime: number;
  stop(): void;
}

/** Anybody who logs in may pull, and all but `reader` push and delete. A user's refresh token is `refresh-<name>`. */
export function startTokenServer(users: Readonly<Record<string, string>>): TokenServer {
  const { cert, key } = selfSigned();
  const seen: { method: string; authorization: string | null; scope: string; user: string | undefined }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const url = new URL(request.url);
      const form = request.method === "POST" ? new URLSearchParams(await request.text()) : url.searchParams;
      const authorization = request.headers.get("authorization");
      const user = Object.keys(users).find((name) => {
        const basic = `Basic ${Buffer.from(`${name}:${users[name]}`).toString("base64")}`;
        return authorization === basic || form.get("refresh_token") === `refresh-${name}`;
      });
      const scope = form.get("scope") ?? "";
      seen.push({ method: request.method, authorization, scope, user });
      if (user === undefined || form.get("service") !== tokens.service) return new Response("{}", { status: 401 });
      return Response.json({ token: issue(user, scope), expires_in: tokens.lifetime });
    },
  });

  const issue = (user: string, scope: string): string => {
    const [type = "", name = "", actions = ""] = scope.split(":");
    const granted = actions.split(",").filter((action) => user !== "reader" || action === "pull");
    const now = Math.floor(Date.now() / 1000);
    const header = { typ: "JWT", alg: "ES256", x5c: [cert.replace(/-----[^-]+-----|\s/g, "")] };
    const claims = {
      iss: tokens.issuer,
      sub: user,
      aud: tokens.service,
      iat: now,
      nbf: now - 10,
      exp: now + tokens.lifetime,
      jti: crypto.randomUUID(),
      access: [{ type, name, actions: granted }],
    };
    const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    const signature = sign("sha256", Buffer.from(text), { key: createPrivateKey(key), dsaEncoding: "ieee-p1363" });
    return `${text}.${signature.toString("base64url")}`;
  };

  const tokens: TokenServer = {
    realm: `http://127.0.0.1:${server.port}/token`,
    service: "registry.example.com",
    issuer: "csp tests",
    certificate: cert,
    seen,
    lifetime: 300,
    stop() {
      void server.stop(true);
    },
  };
  return tokens;
}
