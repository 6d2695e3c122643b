/** What a server says about itself: whether it is ready, and its numbers. */
import type { Answer } from "./answer.ts";
import type { Connections } from "./connections.ts";
import { createMetrics, type Gauge, type Metrics } from "./metrics.ts";
import { json } from "./routes.ts";
import type { Served } from "./served.ts";

export interface ServerState {
  metrics: Metrics;
  /** Requests under way. */
  active: number;
  /** True once the server is about to stop. */
  draining: boolean;
  ready(): Promise<Answer>;
  /** The page for Prometheus. */
  page(): Promise<string>;
}

/** How long the answer to "are you ready" holds, which anybody may ask. */
const readyMs = 2000;

export function createState(
  { feed, budget }: Served,
  connections: Connections,
  { version, now }: { version: string; now: () => number },
): ServerState {
  const started = now();
  let known: { at: number; isUp: boolean } | undefined;
  const gauges = async (): Promise<Gauge[]> => {
    const root = await feed.read().catch(() => "unreachable" as const);
    const generation = typeof root === "object" ? generationOf(root.text) : undefined;
    return [
      { name: "csp_store_up", help: "1 where the store answers.", value: root === "unreachable" ? 0 : 1 },
      ...(generation === undefined
        ? []
        : [{ name: "csp_store_root_generation", help: "Generation of the store's root.", value: generation }]),
      { name: "csp_http_connections", help: "Open connections.", value: connections.count() },
      { name: "csp_http_requests_active", help: "Requests under way.", value: state.active },
      { name: "csp_http_waiting", help: "Requests that wait for a change of the root.", value: feed.waiting() },
      { name: "csp_serve_memory_bytes", help: "Memory held for objects on their way.", value: budget.used() },
      {
        name: "csp_serve_start_time_seconds",
        help: "When the server started, since 1970.",
        value: Math.round(started / 1000),
      },
      { name: "csp_build_info", help: "The version of csp.", labels: { version }, value: 1 },
    ];
  };
  const state: ServerState = {
    metrics: createMetrics(),
    active: 0,
    draining: false,
    async ready() {
      if (state.draining) return json({ live: true, ready: false }, 503);
      if (known === undefined || performance.now() - known.at > readyMs) {
        const isUp = await feed.read().then(
          () => true,
          () => false,
        );
        known = { at: performance.now(), isUp };
      }
      return json({ live: true, ready: known.isUp }, known.isUp ? 200 : 503);
    },
    page: async () => state.metrics.text(await gauges()),
  };
  return state;
}

function generationOf(text: string): number | undefined {
  try {
    const { generation } = JSON.parse(text) as { generation?: unknown };
    return typeof generation === "number" ? generation : undefined;
  } catch {
    return undefined;
  }
}
