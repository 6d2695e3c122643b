/** What does the operations of a crowd: drivers that do many, and commands that do one. Both can be killed. */
import type { Answer, DriverPlace, Operation } from "./driver.ts";
import type { Build, World } from "./world.ts";

/** How an operation ended, where it did by itself. */
export type End = Pick<Answer, "code" | "text" | "effect">;

export interface Worker {
  perform(operation: Operation): Promise<End | "killed">;
  /** Ends the process that does the operation, with SIGKILL; not where it is through already. */
  kill(operation: Operation): void;
}

/** A driver; one that was killed is replaced when the next operation comes. */
export function createDriver(world: World, build: Build, place: DriverPlace) {
  let process_: { process: ReturnType<typeof start>; ready: Promise<(line: string) => void> } | undefined;
  let connected = (_: (line: string) => void): void => {};
  let killed = false;
  let ended = false;
  let orders = 0;
  const pending = new Map<number, { operation: Operation; done: (end: End | "killed") => void }>();

  function start() {
    const child = Bun.spawn([process.execPath, build.driver, JSON.stringify(place)], {
      cwd: world.projects[0] ?? "/",
      env: world.env,
      stdio: ["ignore", "ignore", "inherit"],
    });
    void child.exited.then((status) => {
      process_ = undefined;
      const died: End = { code: "died", text: `the driver ended with ${child.signalCode ?? status}`, effect: 0 };
      for (const { done } of [...pending.values()]) done(killed || ended ? "killed" : died);
      pending.clear();
      killed = false;
    });
    return child;
  }

  function running() {
    if (process_ !== undefined && !killed) return process_;
    const ready = new Promise<(line: string) => void>((resolve) => {
      connected = resolve;
    });
    process_ = { process: start(), ready };
    return process_;
  }

  return {
    async perform(operation: Operation): Promise<End | "killed"> {
      while (killed) await process_?.process.exited;
      const id = ++orders;
      const { process: child, ready } = running();
      const end = new Promise<End | "killed">((done) => pending.set(id, { operation, done }));
      void ready.then((send) => send(JSON.stringify({ ...operation, id })));
      void child;
      return end;
    },
    kill(operation: Operation): void {
      if (killed || ![...pending.values()].some((each) => each.operation === operation)) return;
      killed = true;
      process_?.process.kill("SIGKILL");
    },
    connected: (send: (line: string) => void) => connected(send),
    answered(answer: Answer): void {
      const found = pending.get(answer.id);
      pending.delete(answer.id);
      found?.done(answer);
    },
    async end(): Promise<void> {
      ended = true;
      process_?.process.kill("SIGKILL");
      await process_?.process.exited;
    },
  };
}

/** Single commands of the launcher. */
export function createCommands(world: World, build: Build, host: string, place: Pick<DriverPlace, "script">): Worker {
  const running = new Map<Operation, { kill(): void }>();
  const killed = new WeakSet<Operation>();
  return {
    async perform(operation) {
      const where = ["--data-dir", host];
      const argv = [build.csp, ...wordsOf(operation, where, place.script)];
      const child = Bun.spawn(argv, {
        cwd: operation.kind === "install" ? operation.project : (world.projects[0] ?? "/"),
        env: world.env,
        stdio: ["ignore", "ignore", "pipe"],
      });
      running.set(operation, {
        kill() {
          killed.add(operation);
          child.kill("SIGKILL");
        },
      });
      // A script that outlives its csp keeps the pipes open, so nobody waits for their end.
      let text = "";
      const reading = (async () => {
        const decoder = new TextDecoder();
        for await (const bytes of child.stderr) text += decoder.decode(bytes, { stream: true });
      })();
      const status = await child.exited;
      running.delete(operation);
      if (killed.has(operation) && child.signalCode === "SIGKILL") return "killed";
      await reading;
      const code = /\b(CSP_[A-Z_]+)\b/.exec(text)?.[1];
      const effect = status === 0 && operation.kind !== "gc" ? 1 : 0;
      return { code: status === 0 ? undefined : (code ?? `exit ${status}`), text, effect };
    },
    kill: (operation) => running.get(operation)?.kill(),
  };
}

function wordsOf(operation: Operation, where: readonly string[], script: string): string[] {
  switch (operation.kind) {
    case "install":
      return ["install", "--frozen-lockfile", ...where];
    case "use":
      return ["use", operation.hash, ...where];
    case "rollback":
      return ["rollback", ...where];
    case "gc":
      return ["gc", "--keep", String(operation.keep), "--tree-grace", "0s", "--blob-grace", "0s", ...where];
    case "run":
      return ["run", ...where, script, ...operation.args];
  }
}
