/** Whether a store may be written, asked before the first write. */
import { CspError } from "../core/errors.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";

/** Throws CSP_STORE_READ_ONLY; warns with CSP_WARN_STORE_WRITERS where nothing keeps two writers apart. */
export async function requireWriters(ctx: Pick<Context, "warn">, store: Store): Promise<void> {
  const { writers, why } = await store.capabilities();
  if (writers === "none") {
    throw new CspError("CSP_STORE_READ_ONLY", {
      message: `the store \`${store.address}\` cannot be written${why === undefined ? "" : `: ${why}`}`,
      hint: "run `csp store check` to see what is possible there",
      data: { store: store.address },
    });
  }
  if (writers === "one") {
    ctx.warn({
      code: "CSP_WARN_STORE_WRITERS",
      message: `only one command at a time may write to \`${store.address}\`${why === undefined ? "" : `: ${why}`}`,
      hint: "let one CI job publish, with a concurrency limit of one",
    });
  }
}
