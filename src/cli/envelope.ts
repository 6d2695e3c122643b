/** The one document that `--json` prints, also on failure. */
import type { CspError, Warning } from "../core/errors.ts";

/** Version of the envelope and of every command's data; grows by additions only. */
const schemaVersion = 1;

export interface Envelope {
  schema: { name: string; version: number };
  ok: boolean;
  dryRun: boolean;
  data: unknown;
  warnings: readonly Warning[];
  error: {
    code: string;
    message: string;
    hint: string | null;
    retryable: boolean;
    details: Readonly<Record<string, unknown>>;
  } | null;
}

export function envelope(
  command: string,
  dryRun: boolean,
  outcome: { data: unknown } | { error: CspError },
  warnings: readonly Warning[],
): Envelope {
  const schema = { name: `csp.${command}`, version: schemaVersion };
  if ("data" in outcome) return { schema, ok: true, dryRun, data: outcome.data, warnings, error: null };
  const { code, message, hint, retryable, details, data } = outcome.error;
  const facts = { ...(details.length > 0 ? { lines: details } : {}), ...data };
  return {
    schema,
    ok: false,
    dryRun,
    data: null,
    warnings,
    error: { code, message, hint: hint ?? null, retryable, details: facts },
  };
}
