/** The entry. The answers that need nothing loaded come first; everything else goes to the program. */
import { answerQuickly } from "./quick.ts";
import { version } from "./version.ts";

/** The oldest bun whose behaviour csp is tested with. */
const oldestBun = "1.4.0";

const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) process.stdout.write(`${version}\n`);
else if (Bun.semver.order(Bun.version, oldestBun) < 0) {
  process.stderr.write(`error[CSP_BUN_MISSING]: csp needs bun ${oldestBun} or newer, this is ${Bun.version}\n`);
  process.stderr.write("help: unset `CSP_BUN`, or install csp again with npm\n");
  process.exitCode = 2;
} else if (!answerQuickly(argv)) {
  const { main } = await import("./program.ts");
  await main(argv);
}
