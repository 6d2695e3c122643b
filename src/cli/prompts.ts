/** Questions to a person at a terminal; they and their answers go to stderr, so that stdout stays data. */
import { parseDuration } from "../core/quantity.ts";

/** What `csp init` asks. */
export interface Settings {
  linker?: string;
  registry?: string;
  minimumReleaseAge?: string;
  platform?: string[];
  store?: string[];
}

/** Asks for the settings that are hard to change later. A signal ends the questions; so does Ctrl-C, as SIGINT would. */
export async function askSettings(signal: AbortSignal, interrupt: () => void): Promise<Settings> {
  try {
    return await ask(signal);
  } catch (error) {
    if ((error as Error).name === "ExitPromptError") interrupt();
    throw error;
  }
}

async function ask(signal: AbortSignal): Promise<Settings> {
  const { input, select } = await import("@inquirer/prompts");
  const context = { output: process.stderr, signal };
  const linker = await select(
    {
      message: "How do packages find their dependencies?",
      choices: [
        { value: "isolated", name: "isolated", description: "each sees only what it declares (recommended)" },
        {
          value: "hoisted",
          name: "hoisted",
          description: "one flat folder, for packages that rely on undeclared ones",
        },
      ],
    },
    context,
  );
  const age = await input(
    {
      message: "How old must a version be before it is allowed? (as in 3d; empty: any age)",
      validate: (text) =>
        text === "" || parseDuration(text) !== undefined || "write a number and a unit, as in 36h or 3d",
    },
    context,
  );
  const registry = await input({ message: "Which registry? (empty: what the npm configuration says)" }, context);
  return { linker, ...(age === "" ? {} : { minimumReleaseAge: age }), ...(registry === "" ? {} : { registry }) };
}
