/** TLS in front of the server. Own sockets, so that a client that never ends its handshake is let go, too. */

import type { Server } from "node:http";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import { CspError } from "../../core/errors.ts";
import type { Connections } from "./connections.ts";

/** Throws CSP_CONFIG where certificate and key do not fit. */
export function createTlsFront(tls: { cert: string; key: string }, http: Server, connections: Connections): NetServer {
  const secureContext = contextOf(tls);
  return createServer((socket: Socket) => {
    socket.on("error", () => socket.destroy());
    if (!connections.open(socket)) return;
    const secured = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
    secured.on("error", () => socket.destroy());
    secured.once("close", () => socket.destroy());
    connections.carries(secured, socket);
    secured.once("secure", () => http.emit("connection", secured));
  });
}

function contextOf({ cert, key }: { cert: string; key: string }): ReturnType<typeof createSecureContext> {
  try {
    return createSecureContext({ cert, key, minVersion: "TLSv1.2" });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown reason";
    throw new CspError("CSP_CONFIG", {
      message: `the certificate and the key cannot be used (${code})`,
      hint: "name the PEM files of one pair with `--tls-cert` and `--tls-key`",
    });
  }
}
