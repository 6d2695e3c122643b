import type { CspError } from "../../core/errors.ts";
import type { Context } from "../../ops/context.ts";
import { openServeCache } from "../../ops/serve/cache.ts";
import { isLocal } from "../../ops/serve/listen.ts";
import { type Serving, startServing } from "../../ops/serve.ts";
import { openConfigured } from "../../ops/stores.ts";
import { cached } from "../../store/cached.ts";
import type { CommandModule } from "../command.ts";
import { addStoreOption } from "../options.ts";
import { accessLog, note } from "../serve-log.ts";
import { parseServeFlags, type ServeFlags } from "../serve-options.ts";
import { untilStopped } from "../serve-signals.ts";

export const serve: CommandModule<ServeFlags> = {
  define(command) {
    addStoreOption(command);
    command
      .option("--listen <place>", "default 127.0.0.1:8723; port 0 is any free one; also unix:/path")
      .option("--token-file <file>", "tokens that may read, one a line; without it everybody may")
      .option("--writable", "let the tokens of --write-token-file write")
      .option("--write-token-file <file>", "tokens that may write, one a line")
      .option("--tls-cert <file>", "PEM file of the certificate and its chain")
      .option("--tls-key <file>", "PEM file of its key")
      .option("--cache <dir>", "keep objects here, so that the store is asked for each but once")
      .option("--cache-size <size>", "how much is kept there (default 20GB)")
      .option("--max-object <size>", "the largest object that is taken or given (default 512MB)")
      .option("--max-connections <count>", "connections at once (default 4096)")
      .option("--request-timeout <duration>", "how long one request may take (default 10m)")
      .option("--access-log <kind>", "text (default), json or off; on stderr");
  },
  async run(session, _args, flags) {
    const ctx = session.context();
    const problem = (error: CspError): void => note(ctx.now(), `${error.code}: ${error.message}`);
    const { listen, tls, tokens, limits, cache, log } = parseServeFlags(flags, ctx.now, problem);
    if (!isLocal(listen)) warnOfOpenness(ctx, tokens.readTokens !== undefined, tls !== undefined);
    const ended = new AbortController();
    // The store outlives the signal that ends the command: requests under way are still answered.
    const opened = await openConfigured({ ...ctx, signal: ended.signal });
    let serving: Serving;
    try {
      serving = await startServing({
        store: cache === undefined ? opened : cached(opened, openServeCache(cache.directory, cache.maxBytes)),
        listen,
        ...(tls === undefined ? {} : { tls }),
        ...tokens,
        limits,
        version: ctx.version,
        now: ctx.now,
        log: accessLog(log),
        onDefect: (error) =>
          note(ctx.now(), `a defect of csp: ${error instanceof Error ? error.stack : String(error)}`),
      });
    } catch (error) {
      await opened.close();
      throw error;
    }
    const writable = tokens.writeTokens !== undefined;
    await session.print([`serving ${opened.address} at ${serving.url}, ${writable ? "writable" : "read-only"}`], {
      url: serving.url,
      store: opened.address,
      writable,
      tokens: tokens.readTokens !== undefined,
    });
    const signal = await untilStopped(session, serving, tokens, problem);
    ended.abort(new Error("the server has stopped"));
    // Stopped as asked is a success for a service; whoever presses control-C wants what would follow to stop as well.
    return { lines: [], data: {}, silent: true, ...(signal === "SIGINT" ? { exit: 130, signal } : {}) };
  },
};

function warnOfOpenness(ctx: Context, hasTokens: boolean, hasTls: boolean): void {
  if (!hasTokens) {
    ctx.warn({
      code: "CSP_WARN_SERVE",
      message: "whoever can reach the server can read the store",
      hint: "name tokens with `--token-file`",
    });
  }
  if (!hasTls) {
    ctx.warn({
      code: "CSP_WARN_SERVE",
      message: "what the server sends and is sent, tokens included, is not encrypted",
      hint: "use `--tls-cert` and `--tls-key`, or put a server with TLS in front",
    });
  }
}
