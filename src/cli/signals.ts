/** SIGINT, SIGTERM and SIGHUP: the first asks the running verb to clean up and end, the second ends csp at once. */

export interface Interrupt {
  /** Aborts with the first signal. */
  signal: AbortSignal;
  received: () => NodeJS.Signals | undefined;
  /** 128 + the signal's number. */
  status: () => number;
  /** Acts as if the signal had come. */
  raise: (name: "SIGINT") => void;
  /** Hands signals to somebody else from now on (a running script); returns how to take them back. */
  suspend: () => () => void;
  end: () => void;
}

const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const names = Object.keys(numbers) as (keyof typeof numbers)[];

export function handleSignals(): Interrupt {
  const controller = new AbortController();
  let first: keyof typeof numbers | undefined;
  const handler = (name: NodeJS.Signals): void => {
    if (first !== undefined) process.exit(128 + numbers[name as keyof typeof numbers]);
    first = name as keyof typeof numbers;
    controller.abort(new Error(`interrupted by ${name}`));
  };
  const listen = (): void => {
    for (const name of names) process.on(name, handler);
  };
  const ignore = (): void => {
    for (const name of names) process.off(name, handler);
  };
  listen();
  return {
    signal: controller.signal,
    received: () => first,
    status: () => 128 + (first === undefined ? 0 : numbers[first]),
    raise: handler,
    suspend: () => {
      ignore();
      return listen;
    },
    end: ignore,
  };
}
