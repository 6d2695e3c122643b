/** What a run leaves in results.json, and the arithmetic on it. Pure. */

/** Samples by metric: `ms`, `syncedMs` (with a sync of the file system behind it), `peakBytes`, `bytes …`, `inodes …`. */
export type Samples = Record<string, number[]>;

export interface ScenarioResult {
  rounds: number;
  date: string;
  fileSystem: string;
  /** Load average over a minute when the scenario began: more than a little means that others disturbed it. */
  load: number;
  peers: Record<string, Samples>;
  /** Why a peer has no samples. */
  failed: Record<string, string>;
}

export interface Results {
  format: 1;
  machine: { cpu: string; cores: number; memoryBytes: number; system: string };
  set: { roots: number; locked: number; installed: number };
  versions: Record<string, string>;
  scenarios: Record<string, ScenarioResult>;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** A peer's median of a metric, or undefined where it was not measured. */
export function medianOf(result: ScenarioResult | undefined, peer: string, metric: string): number | undefined {
  const values = result?.peers[peer]?.[metric];
  return values === undefined || values.length === 0 ? undefined : median(values);
}
