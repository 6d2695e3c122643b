/** Several stores as one: objects come from any of them, all else from the first. */
import { CspError } from "../core/errors.ts";
import type { Store } from "./store.ts";

/** How long a store that could not be reached is asked last. */
const restMs = 30_000;

/** What went wrong, the most telling first: what needs a person, what may pass, what is just not there. */
const telling = ["CSP_STORE_CORRUPT", "CSP_STORE_DENIED", "CSP_STORE_UNREACHABLE", "CSP_STORE_ANSWER"];

/**
 * Sizes and objects come from the first store that has them, right bytes and all; one that lacks, spoils or refuses them or
 * cannot be reached hands over to the next, and is asked last for a while where it cannot be reached. Where all fail the most telling
 * error is thrown, with the others in its details. Root, listing and everything that writes are the first store's. The stores are
 * to be `verified`, and all but the first hold copies under the same keys.
 */
export function ordered(stores: readonly [Store, ...Store[]]): Store {
  const [first] = stores;
  const resting = new Map<Store, number>();

  const inOrder = (): Store[] => {
    const now = performance.now();
    const rests = (store: Store): boolean => (resting.get(store) ?? 0) > now;
    return [...stores.filter((store) => !rests(store)), ...stores.filter(rests)];
  };

  /** The first answer that is not undefined; undefined where no store has one and none failed. */
  const firstOf = async <T>(ask: (store: Store) => Promise<T | undefined>): Promise<T | undefined> => {
    const failures: CspError[] = [];
    for (const store of inOrder()) {
      try {
        const answer = await ask(store);
        resting.delete(store);
        if (answer !== undefined) return answer;
      } catch (error) {
        if (!(error instanceof CspError)) throw error;
        if (error.code === "CSP_STORE_UNREACHABLE") resting.set(store, performance.now() + restMs);
        failures.push(error);
      }
    }
    if (failures.length > 0) throw together(failures);
    return undefined;
  };

  return {
    ...first,
    blobs: {
      ...first.blobs,
      size: (key) => firstOf((store) => store.blobs.size(key)),
      get: async (key, limit) => (await firstOf((store) => store.blobs.get(key, limit))) as Uint8Array,
    },
    async close() {
      const ends = await Promise.allSettled(stores.map((store) => store.close()));
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    },
  };
}

function together(failures: readonly CspError[]): CspError {
  const rank = ({ code }: CspError): number => (telling.includes(code) ? telling.indexOf(code) : telling.length);
  const [main, ...others] = failures.toSorted((one, other) => rank(one) - rank(other));
  const { code, message, details, hint, data, cause } = main as CspError;
  if (others.length === 0) return main as CspError;
  return new CspError(code, {
    message,
    details: [...details, ...others.map((other) => other.message)],
    ...(hint === undefined ? {} : { hint }),
    data,
    cause,
  });
}
