/** A registry that answers as it is told, for tests of what csp makes of it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Store } from "../../../src/store/store.ts";
import { verified } from "../../../src/store/verified.ts";
import { type Fault, type FaultServer, type RawRequest, reply, startFaultServer } from "../../support/fault-server.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { openAt } from "./oci-fixture.ts";

export const secret = "a-passw0rd-that-nobody-may-see";
export const basic = `Basic ${btoa(`someone:${secret}`)}`;
export const json = { "content-type": "application/json" };

export interface Fakes {
  start(answer: (request: RawRequest) => Fault): Promise<FaultServer>;
  /** A client with a password for that server. */
  open(server: FaultServer, parameters?: string): Store;
  stop(): void;
}

export function createFakes(): Fakes {
  const running: FaultServer[] = [];
  const folder = makeTemp();
  let files = 0;
  return {
    async start(answer) {
      const server = await startFaultServer(answer);
      running.push(server);
      return server;
    },
    open(server, parameters = "") {
      const path = join(folder, `${++files}.json`);
      writeFileSync(path, JSON.stringify({ auths: { [new URL(server.url).host]: { auth: basic.slice(6) } } }));
      const address = `${server.url.replace("http:", "oci:")}/team/x${parameters}`;
      const timeouts = { idleMs: 150, totalMs: 600 };
      return verified(openAt(address, { REGISTRY_AUTH_FILE: path }, { settleMs: 1 }, { timeouts }));
    },
    stop() {
      for (const server of running) server.stop();
      removeTree(folder);
    },
  };
}

/** An error in the form of the specification. */
export function refusal(status: number, code: string, headers: Record<string, string> = {}): Fault {
  return reply(status, JSON.stringify({ errors: [{ code, message: "\u001b[31mforeign" }] }), { ...json, ...headers });
}

export function digestOf(text: string | Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(text).digest("hex")}`;
}
