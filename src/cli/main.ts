/** The entry. The answers that need next to nothing loaded come first; everything else goes to the program. */
import { version } from "./version.ts";

/** The oldest bun whose behaviour csp is tested with. */
const oldestBun = "1.4.0";

const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) console.log(version);
else if (Bun.semver.order(Bun.version, oldestBun) < 0) {
  console.error(`error[CSP_BUN_MISSING]: csp needs bun ${oldestBun} or newer, this is ${Bun.version}`);
  console.error("help: unset `CSP_BUN`, or install csp again with npm");
  process.exitCode = 2;
} else if (!(await answered())) {
  const { main } = await import("./program.ts");
  await main(argv);
}

/** True where the command line was answered without the program. */
async function answered(): Promise<boolean> {
  if (argv[0] === "rollback" || argv[0] === "use") return (await import("./quick-move.ts")).moveQuickly(argv);
  return (await import("./quick.ts")).answerQuickly(argv);
}
