/** Credentials from the program that `credential_process` of a profile names. */
import { quoted } from "../../core/quote.ts";
import { unusableSettings } from "../failures.ts";
import type { CredentialWorld } from "./credentials.ts";
import { credentialsFromJson } from "./keys.ts";
import type { S3Credentials } from "./sign.ts";

const timeLimit = 60_000;
const maxBytes = 1 << 16;

/**
 * Runs it, without a shell, as the AWS tools do: the user's own file names it. What it prints is never shown. Throws
 * CSP_STORE_SETTINGS where it does not give credentials within a minute.
 */
export async function processCredentials(
  world: CredentialWorld,
  profile: string,
  command: string,
): Promise<S3Credentials> {
  const argv = commandWords(command);
  const failed = (why: string, cause?: unknown) =>
    unusableSettings(
      `the \`credential_process\` of the profile ${quoted(profile)} ${why}`,
      "run it by itself: it must print JSON with AccessKeyId and SecretAccessKey",
      cause,
    );
  if (argv === undefined || argv[0] === undefined) throw failed("is no command");
  let output: string;
  let status: number;
  try {
    const child = Bun.spawn(argv, {
      env: { ...world.env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
      timeout: timeLimit,
      killSignal: "SIGKILL",
      maxBuffer: maxBytes,
    });
    [output, status] = await Promise.all([printed(child.stdout, child.exited), child.exited]);
  } catch (cause) {
    throw failed(`cannot be run (${(cause as NodeJS.ErrnoException).code ?? "unknown reason"})`);
  }
  if (status !== 0) throw failed(`ended with ${status}`);
  const found = credentialsFromJson(output, `the \`credential_process\` of the profile ${quoted(profile)}`);
  if (found === undefined) throw failed("printed no credentials");
  return found;
}

/** Its output, up to a second after its end: what it started and left behind may keep the pipe open for ever. */
async function printed(stream: ReadableStream<Uint8Array>, exited: Promise<number>): Promise<string> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  const ended = Promise.withResolvers<undefined>();
  let timer: Timer | undefined;
  void exited.then(() => {
    timer = setTimeout(() => ended.resolve(undefined), 1000);
  });
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), ended.promise]);
      if (next?.value !== undefined) chunks.push(next.value);
      if (next === undefined || next.done) return Buffer.concat(chunks).toString("utf8");
    }
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
  }
}

/** The words of a command line with quotes and backslashes, without expansions; undefined where a quote is left open. */
export function commandWords(command: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < command.length; at++) {
    const char = command.charAt(at);
    if (char === " " || char === "\t") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'") {
      const end = command.indexOf("'", at + 1);
      if (end < 0) return undefined;
      word = (word ?? "") + command.slice(at + 1, end);
      at = end;
    } else if (char === '"') {
      word ??= "";
      for (at++; command.charAt(at) !== '"'; at++) {
        if (at >= command.length) return undefined;
        if (command.charAt(at) === "\\" && /["\\]/.test(command.charAt(at + 1))) at++;
        word += command.charAt(at);
      }
    } else if (char === "\\") {
      word = (word ?? "") + command.charAt(++at);
    } else {
      word = (word ?? "") + char;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
