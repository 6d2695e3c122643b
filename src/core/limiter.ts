/** Bounded concurrency, by count and by weight. */

export interface Limiter {
  /** Runs `task` once there is room for it; a task heavier than the limit runs alone. */
  run<T>(weight: number, task: () => Promise<T>): Promise<T>;
}

/** At most `count` tasks at once, and at most `weight` of weight together. First come, first served. */
export function createLimiter(count: number, weight = Number.POSITIVE_INFINITY): Limiter {
  let running = 0;
  let load = 0;
  const waiting: { weight: number; start: () => void }[] = [];
  const fits = (next: number): boolean => running === 0 || (running < count && load + next <= weight);
  const advance = (): void => {
    for (let next = waiting[0]; next !== undefined && fits(next.weight); next = waiting[0]) {
      waiting.shift();
      running++;
      load += next.weight;
      next.start();
    }
  };
  return {
    async run(taskWeight, task) {
      await new Promise<void>((start) => {
        waiting.push({ weight: taskWeight, start });
        advance();
      });
      try {
        return await task();
      } finally {
        running--;
        load -= taskWeight;
        advance();
      }
    },
  };
}

/** Runs `task` on every item with bounded concurrency; after the first failure no further one starts, and it is thrown. */
export async function forEachLimited<T>(
  items: readonly T[],
  count: number,
  task: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const index = next++;
      try {
        await task(items[index] as T, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(count, items.length) }, lane));
  const failure = lanes.find((each) => each.status === "rejected");
  if (failure) throw failure.reason;
}
