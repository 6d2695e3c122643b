/**
 * A proxy on loopback that stops requests: before one reaches the server, or once it was done and before the client has the
 * answer. Meanwhile the test does what it likes with the client. Requests are numbered as they begin, over all proxies of a gate.
 */
import { connect, createServer, type Socket } from "node:net";
import type { Wire } from "./wires.ts";

/** `before`: the server has not seen it. `after`: the server has answered. */
export type Moment = "before" | "after";

/** A request that stands still. */
export interface Held {
  label: string;
  /** Lets it, or its answer, go on; resolves once the server has answered. The client may be gone. */
  pass(): Promise<void>;
  /** The request, or its answer, is lost, and with it the connection. */
  lose(): void;
}

export interface Gate {
  /** Labels of all requests that began, in order. */
  readonly requests: readonly string[];
  /** Resolves when the request with this number, from 1, stands still. Others go on. */
  hold(number: number, when: Moment): Promise<Held>;
}

export interface StoreProxy {
  port: number;
  stop(): void;
}

interface Trap {
  number: number;
  when: Moment;
  spring(held: Held): void;
}

/** What proxies ask of a gate. */
export interface GateKeeper extends Gate {
  begin(label: string): number;
  trap(number: number, when: Moment): Trap | undefined;
}

export function createGate(): GateKeeper {
  const requests: string[] = [];
  const traps: Trap[] = [];
  return {
    requests,
    hold: (number, when) => new Promise((spring) => traps.push({ number, when, spring })),
    begin: (label) => requests.push(label),
    trap: (number, when) => traps.find((each) => each.number === number && each.when === when),
  };
}

/** Listens on a free port; `to` is a port of the loopback or the path of a unix socket. */
export async function startProxy(gate: GateKeeper, to: number | string, wire: Wire): Promise<StoreProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => relay(gate, client, track(open(to)), wire));
  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    return socket;
  };
  server.on("connection", track);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    port: address.port,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function open(to: number | string): Socket {
  return typeof to === "string" ? connect(to) : connect(to, "127.0.0.1");
}

/** A request on its way. */
interface Exchange {
  number: number;
  request: Buffer;
  answer: Buffer;
  /** Held, or at least kept until it is known to be whole. */
  before: Trap | undefined;
  after: Trap | undefined;
  /** Resolves with the whole answer, or the end of the connection to the server. */
  answered: Promise<void>;
  settle(): void;
}

function relay(gate: GateKeeper, client: Socket, server: Socket, wire: Wire): void {
  let current: Exchange | undefined;
  /** While something is held the connection to the server outlives the client. */
  let holds = 0;
  let clientGone = false;
  const close = (): void => {
    if (holds > 0) return;
    client.destroy();
    server.destroy();
  };
  const held = (exchange: Exchange, when: Moment): Held => {
    holds++;
    const lose = (): void => {
      holds = 0;
      close();
    };
    const pass = async (): Promise<void> => {
      if (when === "before") server.write(exchange.request);
      else if (!clientGone) client.write(exchange.answer);
      await exchange.answered;
      holds = 0;
      if (clientGone) close();
    };
    return { label: wire.label(exchange.request), pass, lose };
  };

  client.on("data", (bytes: Buffer) => {
    if (current === undefined || current.answer.length > 0) current = begin(gate, bytes, wire);
    else current.request = Buffer.concat([current.request, bytes]);
    const { before, request } = current;
    if (before === undefined) return void server.write(bytes);
    if (wire.isWholeRequest(request)) before.spring(held(current, "before"));
  });
  server.on("data", (bytes: Buffer) => {
    if (current === undefined) return void client.write(bytes);
    current.answer = Buffer.concat([current.answer, bytes]);
    const { after, answer, request } = current;
    const isWhole = wire.isWholeAnswer(answer, request);
    if (isWhole) current.settle();
    if (after === undefined) return void (clientGone || client.write(bytes));
    if (isWhole) after.spring(held(current, "after"));
  });
  client.on("close", () => {
    clientGone = true;
    close();
  });
  server.on("close", () => {
    current?.settle();
    if (holds === 0) client.end();
  });
  for (const socket of [client, server]) socket.on("error", () => {});
}

function begin(gate: GateKeeper, request: Buffer, wire: Wire): Exchange {
  const number = gate.begin(wire.label(request));
  let settle = (): void => {};
  const answered = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const [before, after] = [gate.trap(number, "before"), gate.trap(number, "after")];
  return { number, request, answer: Buffer.alloc(0), before, after, answered, settle };
}
