/** What one package does in one installation on one runtime, each question in a process of its own. */
import type { Installation } from "./installs.ts";
import type { RealPackage, RuntimeName } from "./list.ts";
import { answerMark, scriptOf } from "./scripts.ts";

/** Milliseconds after which a process counts as hanging. */
const limit = 20_000;

/** What a way to use a package gave: a fingerprint of what came, or the error. */
export type Outcome = { came: string } | { error: string; message: string };
/** By the way it was used: `import`, `require`, `bin`. */
export type Outcomes = Record<string, Outcome>;

interface Ended {
  text: string;
  said: string;
  end: string;
}

async function ended(command: string[], cwd: string): Promise<Ended> {
  const { PATH = "", HOME = "" } = process.env;
  const child = Bun.spawn(command, {
    cwd,
    env: { PATH, HOME },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: limit,
    killSignal: "SIGTERM",
  });
  const [text, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  return { text, said, end: String(child.signalCode ?? `exit ${child.exitCode}`) };
}

async function imports(installation: Installation, runtime: RuntimeName, name: string): Promise<Outcomes> {
  const { text, said, end } = await ended(installation.script(runtime, scriptOf(name)), installation.folder);
  const nothing: Outcome = { error: end === "exit 0" ? "no answer" : end, message: said.slice(-500) };
  const outcomes: Outcomes = { import: nothing, require: nothing };
  for (const line of text.split("\n").filter((each) => each.startsWith(answerMark))) {
    const [how, what] = JSON.parse(line.slice(answerMark.length)) as [string, { names: string[] } | Outcome];
    outcomes[how] = "names" in what ? { came: what.names.join(" ") } : what;
  }
  return outcomes;
}

async function bin(installation: Installation, runtime: RuntimeName, line: string, exit: number): Promise<Outcome> {
  const [name = "", ...args] = line.split(" ");
  const { text, said, end } = await ended(installation.bin(runtime, name, args), installation.folder);
  return end === `exit ${exit}` ? { came: text.trim() } : { error: end, message: said.slice(-500) };
}

/** Asks for everything that the list says of the package. */
export async function probe(
  installation: Installation,
  runtime: RuntimeName,
  { name, bin: binary, binExit = 0 }: RealPackage,
): Promise<Outcomes> {
  const outcomes = await imports(installation, runtime, name);
  return binary === undefined ? outcomes : { ...outcomes, bin: await bin(installation, runtime, binary, binExit) };
}
