/** Sharing one piece of work among all who ask for it at about the same time. */

/**
 * Whoever calls while `work` runs shares the next run with all others who do; it begins after they called, so none of them is
 * given something older than the call. At most one run is under way.
 */
export function batched<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> | undefined;
  let next: Promise<T> | undefined;
  return () => {
    if (next !== undefined) return next;
    const before = running;
    const run = async (): Promise<T> => {
      await before?.catch(() => {});
      running = next;
      next = undefined;
      return work();
    };
    next = run();
    return next;
  };
}
