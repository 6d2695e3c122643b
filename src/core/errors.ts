/** The one error a user can meet. Everything else that is thrown is a defect of csp. */
import { type Code, codes } from "./codes.ts";

export interface ErrorParts {
  /** One sentence: the cause, with the names involved. Lower case, no full stop, back-quoted literals. */
  message: string;
  /** Lines below the message, one fact each. */
  details?: readonly string[];
  /** What to do next; a command the user can paste stands in back-quotes. */
  hint?: string;
  /** Machine-readable facts for `--json`. */
  data?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

export class CspError extends Error {
  override readonly name = "CspError";
  readonly code: Code;
  readonly details: readonly string[];
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: Code, parts: ErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.details = parts.details ?? [];
    this.hint = parts.hint;
    this.data = parts.data ?? {};
  }

  /** Exit status of a command that ends with this error. */
  get exit(): number {
    return codes[this.code].exit;
  }

  /** True where the same command may succeed later without any change. */
  get retryable(): boolean {
    return codes[this.code].exit === 75;
  }
}

/** True for a CspError, optionally of one code. */
export function isCspError(error: unknown, code?: Code): error is CspError {
  return error instanceof CspError && (code === undefined || error.code === code);
}

/** A remark that does not fail the command. */
export interface Warning {
  code: Code;
  message: string;
  hint?: string;
}
