/** One request from its head to the line in the log: access, limits, the answer, and what is counted. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createWatchdog } from "../../net/watchdog.ts";
import { type Answer, answerFor, busy, problem, sendAnswer } from "./answer.ts";
import { accessOf, readingOf } from "./asked.ts";
import type { Connections } from "./connections.ts";
import { answerRoute, type Route, refusal, routeOf } from "./routes.ts";
import type { AccessEntry, Asked, Served } from "./served.ts";
import type { ServerState } from "./state.ts";
import type { Tokens } from "./tokens.ts";

export interface Handler {
  /** Answers, whatever happens. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Closes connections after their answer from now on. Resolves when no request is under way, or after so many milliseconds. */
  drained(ms: number): Promise<void>;
}

export interface HandlerOptions {
  served: Served;
  connections: Connections;
  state: ServerState;
  readTokens?: Tokens;
  writeTokens?: Tokens;
  now: () => number;
  log: (entry: AccessEntry) => void;
  onDefect: (error: unknown) => void;
}

export function createHandler(options: HandlerOptions): Handler {
  const { served, connections, state } = options;
  const { limits, feed } = served;
  const watchdog = createWatchdog(limits, undefined);
  let settle = (): void => {};

  const answerTo = async (found: ReturnType<typeof routeOf>, asked: Asked): Promise<Answer> => {
    const { name } = found.route;
    const refused = refusal(found.route, served, asked.method, asked.access);
    if (refused !== undefined) return refused;
    if (state.active - feed.waiting() > limits.requests && name !== "live" && name !== "ready") {
      return busy("the server has enough to do", 1);
    }
    if (asked.header("transfer-encoding") !== undefined) return problem(411, "say how long the body is");
    return answerRoute(found, served, asked, { metrics: state.page, ready: state.ready });
  };

  const failed = (error: unknown): Answer => {
    const answer = answerFor(error);
    if (answer === undefined) {
      options.onDefect(error);
      return problem(500, "the server failed in a way it does not know");
    }
    if (answer.code !== undefined && answer.status >= 500) state.metrics.storeError(answer.code);
    return answer;
  };

  return {
    async handle(request, response) {
      const from = performance.now();
      const { socket } = request;
      const remote = socket.remoteAddress ?? "unix";
      const watch = watchdog.watch();
      watch.rest();
      watch.signal.addEventListener("abort", () => socket.destroy(), { once: true });
      connections.busy(socket);
      state.active++;
      const found = routeOf(request.url ?? "");
      const { asked, received, isUnread } = readingOf(
        request,
        response,
        watch,
        accessOf(options, request.headers.authorization),
      );
      let answer: Answer | undefined;
      let sentBytes = 0;
      try {
        answer = await answerTo(found, asked).catch(failed);
        // A body that nobody read would be taken for the next request.
        if (state.draining || isUnread()) response.setHeader("connection", "close");
        watch.touch();
        sentBytes = await sendAnswer(response, answer, asked.method === "HEAD", watch);
        if (isUnread()) request.resume();
      } catch (error) {
        options.onDefect(error);
        socket.destroy();
      } finally {
        answer?.release?.();
        watch.end();
        state.active--;
        connections.idle(socket);
        if (state.draining && state.active === 0) settle();
        record(options, found.route, request, {
          remote,
          status: answer?.status ?? 500,
          sentBytes,
          receivedBytes: received(),
          seconds: (performance.now() - from) / 1000,
          code: answer?.code,
        });
      }
    },
    drained(ms) {
      state.draining = true;
      if (state.active === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        settle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
  };
}

interface Done {
  remote: string;
  status: number;
  sentBytes: number;
  receivedBytes: number;
  seconds: number;
  code: string | undefined;
}

function record({ state, now, log }: HandlerOptions, route: Route, request: IncomingMessage, done: Done): void {
  const { remote, status, sentBytes, receivedBytes, seconds, code } = done;
  const method = ["GET", "HEAD", "PUT", "DELETE"].includes(request.method ?? "") ? (request.method as string) : "other";
  const waits = route.name === "root" && request.headers.prefer !== undefined;
  const name = waits ? "root_wait" : route.name;
  state.metrics.observe({ route: name, method, status, sentBytes, receivedBytes, seconds });
  log({
    time: now(),
    remote,
    method,
    path: pathOf(route, request.url ?? ""),
    status,
    sentBytes,
    receivedBytes,
    durationMs: Math.round(seconds * 10_000) / 10,
    ...(code === undefined ? {} : { code }),
  });
}

/** A path that is none of ours is foreign text, and may hold what was typed in the wrong place. */
function pathOf(route: Route, url: string): string {
  const path = url.split("?", 1)[0] ?? "";
  return route.name === "other" ? path.slice(0, 60).replace(/[^\x21-\x7e]/g, "") : path;
}
