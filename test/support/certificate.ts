/** A certificate for the loopback that nobody signed. */
import { spawnSync } from "node:child_process";

export interface Certificate {
  cert: string;
  key: string;
}

/** For `127.0.0.1` and `localhost`. Needs openssl. */
export function selfSigned(): Certificate {
  const args =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout - -days 2 -subj /CN=localhost";
  const names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const { stdout } = spawnSync("openssl", [...args.split(" "), ...names], { encoding: "utf8" });
  const block = (name: string): string =>
    new RegExp(`-----BEGIN ${name}-----[\\s\\S]*?-----END ${name}-----\\n`).exec(stdout)?.[0] ?? "";
  return { cert: block("CERTIFICATE"), key: block("PRIVATE KEY") };
}
