/** Connections of a server: none stays that says nothing, or says it too slowly. */
import type { Socket } from "node:net";

export interface Connections {
  /** A new connection; closed again, and false, where there are too many. */
  open(socket: Socket): boolean;
  /** What happens on `upper` counts for `socket`, on which it runs. */
  carries(upper: Socket, socket: Socket): void;
  /** A request's head arrived. */
  busy(socket: Socket): void;
  /** The answer is out. */
  idle(socket: Socket): void;
  count(): number;
  /** Closes those that wait for a request. */
  closeIdle(): void;
  closeAll(): void;
  /** Ends the timer. */
  end(): void;
}

/** `headMs` until the first request's head, `keepAliveMs` from one answer to the next head, however it drips. */
export function createConnections(limits: { connections: number; headMs: number; keepAliveMs: number }): Connections {
  const deadlines = new Map<Socket, number>();
  const carriers = new WeakMap<Socket, Socket>();
  const extend = (upper: Socket, deadline: number): void => {
    const socket = carriers.get(upper) ?? upper;
    if (deadlines.has(socket)) deadlines.set(socket, deadline);
  };
  const check = (): void => {
    const now = performance.now();
    for (const [socket, deadline] of deadlines) if (now > deadline) socket.destroy();
  };
  const period = Math.min(1000, Math.max(10, Math.min(limits.headMs, limits.keepAliveMs) / 4));
  const timer = setInterval(check, period);
  const closeThose = (idle: boolean): void => {
    for (const [socket, deadline] of deadlines) {
      if (!idle || deadline !== Number.POSITIVE_INFINITY) socket.destroy();
    }
  };
  return {
    open(socket) {
      if (deadlines.size >= limits.connections) {
        socket.destroy();
        return false;
      }
      deadlines.set(socket, performance.now() + limits.headMs);
      socket.once("close", () => deadlines.delete(socket));
      return true;
    },
    carries: (upper, socket) => void carriers.set(upper, socket),
    busy: (socket) => extend(socket, Number.POSITIVE_INFINITY),
    idle: (socket) => extend(socket, performance.now() + limits.keepAliveMs),
    count: () => deadlines.size,
    closeIdle: () => closeThose(true),
    closeAll: () => closeThose(false),
    end: () => clearInterval(timer),
  };
}
