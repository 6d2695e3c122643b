/** A script: one page with commands on top and files below. */
import { isNeed, type Need } from "../needs.ts";
import { parseTextArchive, type TextFile } from "../txtar.ts";
import { splitLine } from "./words.ts";

/** What a line expects of its command. */
export type Want = { kind: "success" } | { kind: "failure" } | { kind: "exit"; status: string };

export interface Line {
  number: number;
  text: string;
  /** The `# comment` above. */
  phase: string;
  want: Want;
  verb: string;
  /** Words after the verb, not yet expanded. */
  words: ReturnType<typeof splitLine>;
}

export interface Script {
  name: string;
  /** The page, as it is. */
  page: string;
  lines: Line[];
  files: TextFile[];
  /** From `skip-unless NEED REASON` lines: what the machine must have. */
  needs: { need: Need; reason: string }[];
}

/** Reads a script. Throws, with the place, on a line that cannot be one. */
export function parseScript(name: string, page: string): Script {
  const archive = parseTextArchive(page);
  const script: Script = { name, page, lines: [], files: archive.files, needs: [] };
  let phase = "";
  archive.comment.split("\n").forEach((raw, index) => {
    const text = raw.trim();
    const at = `${name}:${index + 1}`;
    if (text === "") return;
    if (text.startsWith("#")) {
      phase = text.replace(/^#+\s*/, "");
      return;
    }
    if (text.startsWith("skip-unless ")) {
      const [, need = "", reason = ""] = /^skip-unless\s+(\S+)\s+(.+)$/.exec(text) ?? [];
      if (!isNeed(need) || reason === "") throw new Error(`${at}: skip-unless NEED REASON: ${text}`);
      if (script.lines.length > 0) throw new Error(`${at}: skip-unless stands above all commands`);
      script.needs.push({ need, reason });
      return;
    }
    script.lines.push(parseLine(text, index + 1, phase, at));
  });
  if (script.lines.length === 0) throw new Error(`${name}: no commands`);
  const twice = archive.files.find(
    (file, index) => archive.files.findIndex((other) => other.path === file.path) < index,
  );
  if (twice) throw new Error(`${name}:${twice.line}: the file stands twice: ${twice.path}`);
  return script;
}

function parseLine(text: string, number: number, phase: string, at: string): Line {
  let words: Line["words"];
  try {
    words = splitLine(text);
  } catch (error) {
    throw new Error(`${at}: ${(error as Error).message}`);
  }
  const word = (index: number) => words[index]?.map((segment) => segment.text).join("") ?? "";
  let [want, skip]: [Want, number] = [{ kind: "success" }, 0];
  if (word(0) === "!") [want, skip] = [{ kind: "failure" }, 1];
  if (word(0) === "exit") {
    [want, skip] = [{ kind: "exit", status: word(1) }, 2];
    if (!/^(\d{1,3}|SIG[A-Z0-9]+)$/.test(word(1))) throw new Error(`${at}: exit STATUS COMMAND: ${text}`);
  }
  if (word(skip) === "") throw new Error(`${at}: no command: ${text}`);
  return { number, text, phase, want, verb: word(skip), words: words.slice(skip + 1) };
}
