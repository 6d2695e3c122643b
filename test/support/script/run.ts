/** Runs a script: prepares its world, its lines one by one, and tells where and why it fails. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gatherPackages } from "../packages.ts";
import { startRegistry, type TestRegistry } from "../registry.ts";
import { makeTemp, removeTree } from "../temp.ts";
import { excerpt } from "./child.ts";
import type { Line, Script } from "./parse.ts";
import { lookupIn, type Session, type Verb } from "./session.ts";
import { checkVerbs } from "./verbs-check.ts";
import { fileVerbs } from "./verbs-files.ts";
import { registryVerbs } from "./verbs-registry.ts";
import { runVerbs } from "./verbs-run.ts";
import { expandText, expandWord } from "./words.ts";

/** Every verb of the script language, by name. */
export const verbs: Readonly<Record<string, Verb>> = { ...runVerbs, ...checkVerbs, ...fileVerbs, ...registryVerbs };

export interface RunOptions {
  /** Leaves `$WORK` where it is and says so. */
  keep?: boolean;
  /** Is shown every line with what its command printed. */
  trace?: (text: string) => void;
}

/** Runs the script to its end. Rejects with an error that shows the place, the phase and the output. */
export async function runScript(script: Script, options: RunOptions = {}): Promise<void> {
  checkLines(script);
  const work = makeTemp("csp-script-");
  const other: TestRegistry | undefined = /^other |\$\{?OTHER|redirect-other-host|^-- _other\//m.test(script.page)
    ? await startRegistry()
    : undefined;
  const registry = await startRegistry([], { other: () => other?.url });
  const session: Session = {
    work,
    cwd: work,
    env: {
      PATH: `${join(work, ".bin")}:/usr/local/bin:/usr/bin:/bin`,
      HOME: join(work, "home"),
      TMPDIR: join(work, "tmp"),
    },
    asUser: false,
    stdin: undefined,
    last: undefined,
    background: new Map(),
    snapshots: new Map(),
    registry,
    other,
  };
  try {
    layOut(session, script);
    for (const [index, line] of script.lines.entries()) {
      try {
        const before = session.last;
        await runLine(session, line);
        if (options.trace) options.trace(`> ${line.text}${session.last === before ? "" : printed(session)}`);
      } catch (error) {
        throw new Error(report(session, script, index, error as Error));
      }
    }
    const left = [...session.background.keys()];
    if (left.length > 0) throw new Error(`${script.name}: never waited for: ${left.join(", ")}`);
  } finally {
    for (const child of session.background.values()) child.kill();
    await Promise.allSettled([...session.background.values()].map((child) => child.end));
    await Promise.all([registry.stop(), other?.stop()]);
    if (options.keep) console.error(`${script.name}: kept ${work}`);
    else removeTree(work);
  }
}

/** Finds lines that no verb fits before anything runs. */
function checkLines(script: Script): void {
  for (const line of script.lines) {
    const verb = Object.hasOwn(verbs, line.verb) ? verbs[line.verb] : undefined;
    const at = `${script.name}:${line.number}: ${line.text}`;
    if (!verb) throw new Error(`${at}\nunknown command ${line.verb}; known: ${Object.keys(verbs).sort().join(", ")}`);
    const [least, most] = verb.words;
    if (line.words.length < least || line.words.length > most) throw new Error(`${at}\nusage: ${verb.usage}`);
    if (line.want.kind !== "success" && !verb.prefixes?.includes(line.want.kind)) {
      throw new Error(`${at}\n${line.want.kind === "exit" ? "exit" : "!"} has no meaning before ${line.verb}`);
    }
  }
}

function printed({ last }: Session): string {
  return last ? `  [${last.signal ?? last.status}]${excerpt(last)}` : "";
}

async function runLine(session: Session, line: Line): Promise<void> {
  const lookup = lookupIn(session);
  const words = line.words.map((word) => expandWord(word, lookup));
  await verbs[line.verb]?.run(session, words, line.want);
}

/** Writes the script's files, fills its registries, and puts `csp` and `node` on its PATH. */
function layOut(session: Session, script: Script): void {
  const write = (path: string, text: string) => {
    const target = join(session.work, path);
    if (!target.startsWith(`${session.work}/`)) throw new Error(`${script.name}: outside of $WORK: ${path}`);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  };
  for (const name of ["home", "tmp", ".bin"]) mkdirSync(join(session.work, name));
  symlinkSync(join(import.meta.dir, "../../../bin/csp"), join(session.work, ".bin/csp"));
  const node = Bun.which("node");
  if (node) symlinkSync(node, join(session.work, ".bin/node"));
  write("home/.npmrc", `registry=${session.registry.url}/\n`);

  // Packages first: what other files say of them ($INTEGRITY[name@version]) must be known.
  const below = (prefix: string) =>
    script.files
      .filter((file) => file.path.startsWith(prefix))
      .map((file) => ({ path: file.path.slice(prefix.length), text: expandText(file.text, lookupIn(session)) }));
  const main = gatherPackages(below("_registry/"));
  session.registry.publish(...main);
  session.other?.publish(...main, ...gatherPackages(below("_other/")));
  for (const file of script.files) {
    if (!/^_(?:registry|other)\//.test(file.path)) write(file.path, expandText(file.text, lookupIn(session)));
  }
}

function report(session: Session, script: Script, index: number, error: Error): string {
  const line = script.lines[index];
  const phase = script.lines.slice(0, index + 1).filter((each) => each.phase === line?.phase);
  const head = `${script.name}:${line?.number}${line?.phase ? ` # ${line.phase}` : ""}`;
  const commands = phase.map((each, at) => `${at + 1 === phase.length ? "✗" : " "} ${each.text}`).join("\n");
  const last = session.last && !error.message.includes("\n  std") ? `\nlast command:${excerpt(session.last)}` : "";
  return `${head}\n${commands}\n${error.message}${last}`
    .replaceAll(session.work, "$WORK")
    .replaceAll(session.registry.url, "$REGISTRY")
    .replaceAll(session.other?.url ?? "\0", "$OTHER");
}
