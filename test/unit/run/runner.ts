/** Runs one script as csp would and reports the result in a file; started by the tests so that they see its streams. */
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { isCspError } from "../../../src/core/errors.ts";
import { type RunRequest, runScript } from "../../../src/run/start.ts";

const [requestFile = "", resultFile = ""] = process.argv.slice(2);
const request = JSON.parse(readFileSync(requestFile, "utf8")) as Omit<RunRequest, "signals" | "env" | "readStdin"> & {
  inherit?: string;
};
try {
  const inheritFds = request.inherit === undefined ? [] : [openSync(request.inherit, "r")];
  const result = await runScript({
    ...request,
    inheritFds,
    env: process.env,
    signals: process,
    readStdin: () => Bun.stdin.text(),
  });
  writeFileSync(resultFile, JSON.stringify({ ...result, handlers: process.listenerCount("SIGTERM") }));
} catch (error) {
  if (!isCspError(error)) throw error;
  writeFileSync(resultFile, JSON.stringify({ error: error.code, message: error.message }));
}
