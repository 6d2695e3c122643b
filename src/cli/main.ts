/** The entry. Answers `--version` with nothing loaded; everything else goes to the program. */
import { version } from "./version.ts";

if (process.argv.length === 3 && (process.argv[2] === "--version" || process.argv[2] === "-V")) {
  process.stdout.write(`${version}\n`);
} else {
  const { main } = await import("./program.ts");
  await main(process.argv.slice(2));
}
