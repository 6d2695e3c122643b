/** Memory that all requests share. */

export interface Reservation {
  /** Gives back what is more than `bytes`. */
  shrink(bytes: number): void;
  /** Gives back the rest; a second call does nothing. */
  release(): void;
}

export interface Budget {
  /** Resolves once there is room; first come, first served; more than the whole budget has it alone. Undefined after `waitMs`. */
  reserve(bytes: number, waitMs: number): Promise<Reservation | undefined>;
  used(): number;
}

export function createBudget(total: number): Budget {
  const queue: { bytes: number; start: () => void }[] = [];
  let used = 0;
  const fits = (bytes: number): boolean => used === 0 || used + bytes <= total;
  const advance = (): void => {
    for (let first = queue[0]; first !== undefined && fits(first.bytes); first = queue[0]) {
      queue.shift();
      used += first.bytes;
      first.start();
    }
  };
  const reservation = (bytes: number): Reservation => {
    let held = bytes;
    const shrink = (left: number): void => {
      if (left >= held) return;
      used -= held - left;
      held = left;
      advance();
    };
    return { shrink, release: () => shrink(0) };
  };
  return {
    reserve: (bytes, waitMs) =>
      new Promise((resolve) => {
        const entry = {
          bytes,
          start() {
            clearTimeout(timer);
            resolve(reservation(bytes));
          },
        };
        const timer = setTimeout(() => {
          queue.splice(queue.indexOf(entry), 1);
          resolve(undefined);
          advance();
        }, waitMs);
        queue.push(entry);
        advance();
      }),
    used: () => used,
  };
}
