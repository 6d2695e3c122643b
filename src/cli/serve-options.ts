/** The options of `csp serve`, from words to values. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { CspError } from "../core/errors.ts";
import { durationForm, parseDuration, parseSize, sizeForm } from "../core/quantity.ts";
import { type ListenPlace, parseListen } from "../ops/serve/listen.ts";
import type { ServeLimits } from "../ops/serve/served.ts";
import { openTokens, type Tokens } from "../ops/serve/tokens.ts";
import { usualLimits } from "../ops/serve.ts";
import type { CommonOptions } from "./command.ts";
import { parseCount } from "./counts.ts";
import type { LogKind } from "./serve-log.ts";

export interface ServeFlags extends CommonOptions {
  listen?: string;
  tokenFile?: string;
  writable?: boolean;
  writeTokenFile?: string;
  tlsCert?: string;
  tlsKey?: string;
  cache?: string;
  cacheSize?: string;
  maxObject?: string;
  maxConnections?: string;
  requestTimeout?: string;
  accessLog?: string;
}

export interface ServeSettings {
  listen: ListenPlace;
  tls: { cert: string; key: string } | undefined;
  tokens: { readTokens?: Tokens; writeTokens?: Tokens };
  limits: Partial<ServeLimits>;
  cache: { directory: string; maxBytes: number } | undefined;
  log: LogKind;
}

/** Throws CSP_USAGE and CSP_CONFIG. Problems with token files that change later go to `problem`. */
export function parseServeFlags(
  flags: ServeFlags,
  now: () => number,
  problem: (error: CspError) => void,
): ServeSettings {
  const pathOf = (file: string): string => resolve(flags.cwd ?? ".", file);
  const open = (file: string): Tokens => openTokens(pathOf(file), now, problem);
  if ((flags.writable === true) !== (flags.writeTokenFile !== undefined)) {
    throw usage("`--writable` and `--write-token-file` go together", "writing takes a token, also on this machine");
  }
  if ((flags.tlsCert === undefined) !== (flags.tlsKey === undefined)) {
    throw usage("`--tls-cert` and `--tls-key` go together", "name both files");
  }
  const { tlsCert, tlsKey, cache } = flags;
  if (cache === undefined && flags.cacheSize !== undefined) {
    throw usage("`--cache-size` goes with `--cache`", "name the folder with `--cache <dir>`");
  }
  return {
    listen: parseListen(flags.listen ?? "127.0.0.1:8723"),
    tls:
      tlsCert === undefined || tlsKey === undefined
        ? undefined
        : { cert: readPem(pathOf(tlsCert)), key: readPem(pathOf(tlsKey)) },
    tokens: {
      ...(flags.tokenFile === undefined ? {} : { readTokens: open(flags.tokenFile) }),
      ...(flags.writeTokenFile === undefined ? {} : { writeTokens: open(flags.writeTokenFile) }),
    },
    limits: limitsOf(flags),
    cache:
      cache === undefined
        ? undefined
        : { directory: pathOf(cache), maxBytes: size(flags.cacheSize, "--cache-size", 20_000_000_000) },
    log: flags.quiet ? "off" : logKind(flags.accessLog),
  };
}

function limitsOf({ maxObject, maxConnections, requestTimeout }: ServeFlags): Partial<ServeLimits> {
  const totalMs = requestTimeout === undefined ? usualLimits.totalMs : parseDuration(requestTimeout);
  if (totalMs === undefined)
    throw usage(`\`--request-timeout ${requestTimeout}\` is no duration`, `write ${durationForm}`);
  return {
    totalMs,
    maxObjectBytes: size(maxObject, "--max-object", usualLimits.maxObjectBytes),
    ...(maxConnections === undefined ? {} : { connections: parseCount(maxConnections, "--max-connections") }),
  };
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CspError("CSP_CONFIG", {
      message: `\`${path}\` cannot be read (${(cause as NodeJS.ErrnoException).code ?? "unknown reason"})`,
      hint: "name PEM files that this user can read",
    });
  }
}

function size(text: string | undefined, option: string, otherwise: number): number {
  const parsed = text === undefined ? otherwise : parseSize(text);
  if (parsed !== undefined) return parsed;
  throw usage(`\`${option} ${text}\` is no size`, `write ${sizeForm}`);
}

function logKind(text = "text"): LogKind {
  if (text === "text" || text === "json" || text === "off") return text;
  throw usage(`\`--access-log ${text}\` is none of \`text\`, \`json\`, \`off\``, "run `csp serve --help`");
}

function usage(message: string, hint: string): CspError {
  return new CspError("CSP_USAGE", { message, hint });
}
