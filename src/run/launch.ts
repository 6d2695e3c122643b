/** The command line of a run. */
import { basename, join } from "node:path";
import { codeForNode } from "./format.ts";

export type Runtime = "bun" | "node";

export type Source =
  /** A file, absolute. */
  | { kind: "file"; path: string }
  /** Code that behaves as if it stood in a file of the working directory. */
  | { kind: "code"; text: string }
  /** The same from standard input, which the script then finds at its end. */
  | { kind: "stdin" }
  /** A program that no runtime is needed for, with the words that come before the user's arguments. */
  | { kind: "program"; command: readonly string[] };

export interface LaunchRequest {
  runtime: Runtime;
  runtimePath: string;
  source: Source;
  args: readonly string[];
  /** Reads standard input to its end. */
  readStdin: () => Promise<string>;
  /** The working directory, absolute: where code without a file stands. */
  cwd: string;
  /** Reads the script. */
  readFile: (path: string) => string;
  /** Keeps a text that Bun runs from a copy, see code-file.ts; gives the path of the copy. */
  keepCode: (text: string, standsFor: string) => string;
}

export interface Launch {
  command: string[];
  /** What the child reads on standard input, where that is not the parent's. */
  input?: string;
}

/** Arguments after the script are the script's, whatever they look like. */
export async function launch(request: LaunchRequest): Promise<Launch> {
  const { runtime, runtimePath, source, args } = request;
  if (source.kind === "program") return { command: [...source.command, ...args] };
  if (source.kind === "file") {
    if (runtime === "node" || basename(source.path).includes(".")) {
      return { command: [runtimePath, source.path, ...args] };
    }
    // Bun shows a plugin no path without a dot in it.
    const copy = request.keepCode(request.readFile(source.path), source.path);
    return { command: [runtimePath, copy, ...args] };
  }
  const text = source.kind === "code" ? source.text : await request.readStdin();
  if (runtime === "bun") {
    return { command: [runtimePath, request.keepCode(text, join(request.cwd, "[code]")), ...args] };
  }
  const code = codeForNode(text);
  const type = `--input-type=${code.inputType}`;
  if (source.kind === "code") return { command: [runtimePath, type, `--eval=${code.text}`, "--", ...args] };
  return { command: [runtimePath, type, "-", ...args], input: code.text };
}
