/** The entry. The answers that need nothing loaded come first; everything else goes to the program. */
import { answerQuickly } from "./quick.ts";
import { version } from "./version.ts";

const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) process.stdout.write(`${version}\n`);
else if (!answerQuickly(argv)) {
  const { main } = await import("./program.ts");
  await main(argv);
}
