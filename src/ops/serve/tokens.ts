/** Tokens that a server accepts: a file with one a line, read again when it changes. */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { CspError } from "../../core/errors.ts";
import { quoted } from "../../core/quote.ts";

export interface Tokens {
  /** Takes the same time for every token. */
  accepts(token: string): boolean;
  /** Reads the file again. Throws CSP_CONFIG, and keeps the tokens it had. */
  reload(): void;
}

const shortest = 16;
const lookAgainMs = 1000;

/** Throws CSP_CONFIG where the file cannot be used; later problems go to `onProblem`, and the tokens stay as they are. */
export function openTokens(path: string, now: () => number, onProblem: (error: CspError) => void): Tokens {
  let stamp = stampOf(path);
  let digests = readTokens(path).map(digestOf);
  let looked = now();
  const reload = (): void => {
    const seen = stampOf(path);
    digests = readTokens(path).map(digestOf);
    stamp = seen;
  };
  const reloadIfChanged = (): void => {
    if (Math.abs(now() - looked) < lookAgainMs) return;
    looked = now();
    const seen = stampOf(path);
    if (seen === stamp) return;
    stamp = seen;
    try {
      reload();
    } catch (error) {
      onProblem(error as CspError);
    }
  };
  return {
    accepts(token) {
      reloadIfChanged();
      const digest = digestOf(token);
      let found = false;
      for (const known of digests) found = timingSafeEqual(known, digest) || found;
      return found;
    },
    reload,
  };
}

/** One a line; empty lines and lines that begin with `#` are left out. */
function readTokens(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw unusable(path, `cannot be read (${(cause as NodeJS.ErrnoException).code ?? "unknown reason"})`);
  }
  const tokens: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const token = line.trim();
    if (token === "" || token.startsWith("#")) continue;
    if (!/^[\x21-\x7e]+$/.test(token)) throw unusable(path, `has a line ${index + 1} that is no token`);
    if (token.length < shortest)
      throw unusable(path, `has a token of less than ${shortest} characters in line ${index + 1}`);
    tokens.push(token);
  }
  if (tokens.length === 0) throw unusable(path, "holds no token");
  return tokens;
}

function unusable(path: string, problem: string): CspError {
  return new CspError("CSP_CONFIG", {
    message: `the token file ${quoted(path)} ${problem}`,
    hint: "write one token a line, as from `openssl rand -hex 32`",
  });
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Another one whenever the file is another; undefined where it is absent. */
function stampOf(path: string): string | undefined {
  try {
    const stat = statSync(path, { bigint: true });
    return `${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
  } catch {
    return undefined;
  }
}
