/** Numbers about a server in the text format of Prometheus. */

/** A request that is over. */
export interface Observation {
  route: string;
  method: string;
  status: number;
  sentBytes: number;
  receivedBytes: number;
  seconds: number;
}

/** A number as it is now. */
export interface Gauge {
  name: string;
  help: string;
  labels?: Readonly<Record<string, string>>;
  value: number;
}

export interface Metrics {
  observe(request: Observation): void;
  /** A failure of the store, by its code. */
  storeError(code: string): void;
  /** The page; `gauges` are added as they are. */
  text(gauges: readonly Gauge[]): string;
}

const buckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];

interface Histogram {
  counts: number[];
  sum: number;
  count: number;
}

export function createMetrics(): Metrics {
  const requests = new Map<string, number>();
  const errors = new Map<string, number>();
  const bytes = { sent: new Map<string, number>(), received: new Map<string, number>() };
  const durations = new Map<string, Histogram>();
  return {
    observe({ route, method, status, sentBytes, receivedBytes, seconds }) {
      add(requests, labels({ route, method, status: String(status) }), 1);
      add(bytes.sent, labels({ route }), sentBytes);
      add(bytes.received, labels({ route }), receivedBytes);
      const histogram = durations.get(route) ?? { counts: buckets.map(() => 0), sum: 0, count: 0 };
      durations.set(route, histogram);
      histogram.count++;
      histogram.sum += seconds;
      const index = buckets.findIndex((bound) => seconds <= bound);
      if (index >= 0) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
    },
    storeError: (code) => add(errors, labels({ code }), 1),
    text: (gauges) =>
      [
        ...family("csp_http_requests_total", "counter", "Requests by route, method and status.", requests),
        ...family("csp_http_sent_bytes_total", "counter", "Bytes of bodies sent.", bytes.sent),
        ...family("csp_http_received_bytes_total", "counter", "Bytes of bodies received.", bytes.received),
        ...histograms(durations),
        ...family("csp_store_errors_total", "counter", "Failures of the store behind the server.", errors),
        ...gauges.flatMap(({ name, help, labels: own, value }) =>
          family(name, "gauge", help, new Map([[own === undefined ? "" : labels(own), value]])),
        ),
        "",
      ].join("\n"),
  };
}

function add(numbers: Map<string, number>, key: string, value: number): void {
  numbers.set(key, (numbers.get(key) ?? 0) + value);
}

/** All values are words of ours, which need no escapes. */
function labels(pairs: Readonly<Record<string, string>>): string {
  return `{${Object.entries(pairs)
    .map(([name, value]) => `${name}="${value}"`)
    .join(",")}}`;
}

function family(name: string, type: string, help: string, values: ReadonlyMap<string, number>): string[] {
  const lines = [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${name}${key} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}

function histograms(durations: ReadonlyMap<string, Histogram>): string[] {
  const name = "csp_http_request_duration_seconds";
  const lines = [`# HELP ${name} Time from a request's head to the end of its answer.`, `# TYPE ${name} histogram`];
  for (const [route, { counts, sum, count }] of [...durations].sort(([a], [b]) => (a < b ? -1 : 1))) {
    let below = 0;
    for (const [index, bound] of buckets.entries()) {
      below += counts[index] ?? 0;
      lines.push(`${name}_bucket${labels({ route, le: String(bound) })} ${below}`);
    }
    lines.push(`${name}_bucket${labels({ route, le: "+Inf" })} ${count}`);
    lines.push(`${name}_sum${labels({ route })} ${sum.toFixed(6)}`, `${name}_count${labels({ route })} ${count}`);
  }
  return lines;
}
