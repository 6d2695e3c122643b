/**
 * The script that the crowd runs: imports some packages at once, says so, and when it is told to goes on with late imports,
 * files and a child. Whatever it reads must be of one set. Runs from a folder with the imports of sets.ts beside it.
 */
import { join } from "node:path";

interface SetPackage {
  sets: number[];
  late(): number[][];
}

const [socketPath = "", id = "", place = "", through] = process.argv.slice(2);
const seen: number[][] = [];

if (socketPath === "child") console.log(JSON.stringify(await readAll()));
else await takePart();

async function takePart(): Promise<void> {
  let go = (): void => {};
  const told = new Promise<void>((resolve) => {
    go = resolve;
  });
  let through = false;
  const close = (): void => process.exit(through ? 0 : 3);
  const socket = await Bun.connect({ unix: socketPath, socket: { data: () => go(), close } });
  try {
    seen.push(...(await modules("early")).map(({ sets }) => sets));
    common(seen);
    socket.write(`up ${id} ${process.pid}\n`);
    await told;
    seen.push(...(await readAll()));
    if (place === "child") seen.push(...(await readInChild()));
    socket.write(`done ${id} ${common(seen)}\n`);
  } catch (error) {
    socket.write(`bad ${id} ${JSON.stringify(`${String(error)} after ${JSON.stringify(seen)}`)}\n`);
  }
  await told;
  through = true;
  socket.end();
  process.exit(0);
}

async function readAll(): Promise<number[][]> {
  const all = [...(await modules("early")), ...(await modules("late"))];
  return all.flatMap((each) => [each.sets, ...each.late()]);
}

async function readInChild(): Promise<number[][]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "script.ts"), "child"], { stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`the child failed: ${err.slice(0, 500)}`);
  return JSON.parse(out);
}

/** By plain import statements, or as a script would that goes to its packages by a path of its own. */
async function modules(which: "early" | "late"): Promise<SetPackage[]> {
  const { all, names } = await import(
    join(import.meta.dir, through === undefined ? `${which}.ts` : `${which}-names.ts`)
  );
  if (through === undefined) return all;
  return Promise.all(names.map((name: string) => import(join(through, "node_modules", name, "index.js"))));
}

function common(read: readonly number[][]): number {
  const shared = (read[0] ?? []).filter((set) => read.every((sets) => sets.includes(set)));
  if (shared.length === 0) throw new Error("files of more than one tree");
  return shared[0] as number;
}
