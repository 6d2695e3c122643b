/** Runs inside a network namespace: its loopback's ports, as the arguments name them, lead to unix sockets outside. */
import { connect, createServer } from "node:net";

if (import.meta.main) {
  const [folder = "", ...ports] = process.argv.slice(2);
  Bun.spawnSync(["ip", "link", "set", "lo", "up"]);
  const listening = ports.map((port) => {
    const server = createServer((inner) => {
      const outer = connect(`${folder}/${port}`);
      inner.pipe(outer).pipe(inner);
      for (const socket of [inner, outer]) socket.on("error", () => void [inner, outer].map((each) => each.destroy()));
    });
    return new Promise<void>((done) => server.listen(Number(port), "127.0.0.1", done));
  });
  await Promise.all(listening);
  console.log("ready");
  // The namespace ends with whoever made it, however that one ends.
  process.stdin.on("end", () => process.exit(0)).resume();
}
