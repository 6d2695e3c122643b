/** The crowd's meeting point: scripts and drivers connect here and say a line for everything that happens to them. */

/** A script that a run started. */
export interface ScriptEnd {
  id: number;
  pid: number;
  /** Lets it go on. */
  go(): void;
}

export interface CrowdEvents {
  up(script: ScriptEnd): void;
  done(id: number, set: number): void;
  bad(id: number, why: string): void;
  /** The script's connection is gone. */
  gone(id: number): void;
  driver(name: string, send: (line: string) => void): void;
  answer(name: string, json: string): void;
}

export interface CrowdServer {
  stop(): void;
}

interface Peer {
  rest: string;
  script: number | undefined;
  driver: string | undefined;
}

/** Listens on a unix socket, and takes words only from what the test itself started. */
export function startServer(path: string, events: CrowdEvents): CrowdServer {
  const server = Bun.listen<Peer>({
    unix: path,
    socket: {
      open(socket) {
        socket.data = { rest: "", script: undefined, driver: undefined };
      },
      data(socket, bytes) {
        const lines = (socket.data.rest + bytes.toString("utf8")).split("\n");
        socket.data.rest = lines.pop() ?? "";
        for (const line of lines) hear(line, socket.data, (text) => void socket.write(`${text}\n`));
      },
      close(socket) {
        if (socket.data.script !== undefined) events.gone(socket.data.script);
      },
    },
  });

  function hear(line: string, peer: Peer, send: (text: string) => void): void {
    const [, word = "", rest = ""] = /^(\S+) (.*)$/.exec(line) ?? [];
    const [first = "", second = ""] = rest.split(" ", 2);
    const id = Number(first);
    switch (word) {
      case "driver":
        peer.driver = first;
        events.driver(first, send);
        break;
      case "answer":
        events.answer(peer.driver ?? "", rest);
        break;
      case "up":
        peer.script = id;
        events.up({ id, pid: Number(second), go: () => send("go") });
        break;
      case "done":
        events.done(id, Number(second));
        break;
      case "bad":
        peer.script = id;
        send("go");
        events.bad(id, rest.slice(first.length + 1));
    }
  }

  return { stop: () => server.stop(true) };
}
