/** The error a user reads when the allowlist cannot be resolved. */
import type { Code } from "../core/codes.ts";
import { CspError } from "../core/errors.ts";
import { quoted } from "../core/quote.ts";
import { describe, type FailureContext, reason, registryOf } from "./failure-words.ts";
import type { FailureKind, ResolveFailure } from "./outcome.ts";

const mostBlocks = 10;

/**
 * The exit code is that of the first kind listed. Credentials come first, because nothing else is sure before they are
 * right; what passes by itself comes last, because a retry is no remedy as long as anything else is wrong.
 */
const codeOfKind: Readonly<Record<FailureKind, Code>> = {
  unauthorized: "CSP_REGISTRY_AUTH",
  forbidden: "CSP_REGISTRY_AUTH",
  "invalid-name": "CSP_RESOLVE_FAILED",
  "no-package": "CSP_RESOLVE_FAILED",
  "no-version": "CSP_RESOLVE_FAILED",
  "no-tag": "CSP_RESOLVE_FAILED",
  peer: "CSP_RESOLVE_FAILED",
  unknown: "CSP_RESOLVE_FAILED",
  source: "CSP_SOURCE_REFUSED",
  "too-young": "CSP_TOO_YOUNG",
  unreachable: "CSP_REGISTRY_UNREACHABLE",
  "server-error": "CSP_REGISTRY_ANSWER",
  "bad-answer": "CSP_REGISTRY_ANSWER",
  timeout: "CSP_RESOLVE_TIMEOUT",
};
const severity = Object.keys(codeOfKind);

/**
 * One error for all failures of a run: with a single cause that cause is the message, with several each has a block
 * of detail lines. `data.failures` holds them as they are. `failures` is not empty.
 */
export function failureError(failures: readonly ResolveFailure[], context: FailureContext): CspError {
  const ranked = [...failures].sort((a, b) => severity.indexOf(a.kind) - severity.indexOf(b.kind));
  const blocks = groups(ranked).map((group) => describe(group, context));
  const [first] = blocks;
  const data = { failures };
  const code = codeOfKind[ranked[0]?.kind ?? "unknown"];
  const hint = blocks.find((block) => block.hint !== undefined)?.hint;
  if (first && blocks.length === 1) {
    return new CspError(code, { message: first.sentence, details: first.facts, ...(hint ? { hint } : {}), data });
  }
  const details = blocks
    .slice(0, mostBlocks)
    .flatMap(({ sentence, facts }) => [sentence, ...facts.map((fact) => `  ${fact}`)]);
  if (blocks.length > mostBlocks) details.push(`and ${blocks.length - mostBlocks} more`);
  const message = `${quoted(context.allowlistFile)} cannot be resolved for ${blocks.length} reasons`;
  return new CspError(code, { message, details, ...(hint ? { hint } : {}), data });
}

/** Failures that are one trouble of one registry are told once, with the names of the packages. */
function groups(failures: readonly ResolveFailure[]): ResolveFailure[][] {
  const found = new Map<string, ResolveFailure[]>();
  failures.forEach((failure, index) => {
    const shared = ["unreachable", "server-error", "unauthorized", "forbidden"].includes(failure.kind);
    const key = shared ? `${failure.kind} ${failure.status ?? reason(failure)} ${registryOf(failure)}` : String(index);
    found.set(key, [...(found.get(key) ?? []), failure]);
  });
  return [...found.values()];
}
