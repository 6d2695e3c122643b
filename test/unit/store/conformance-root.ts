/** What the contract says of the one object that changes. */
import { expect } from "bun:test";
import type { Root, RootState, Store, Version } from "../../../src/store/store.ts";
import type { Case } from "./conformance.ts";
import { newKey } from "./objects.ts";

export function rootCases(check: Case): void {
  check("there is none at first", async ({ store, reopen }) => {
    expect(await store.root.read()).toBeUndefined();
    expect(await (await reopen()).root.read()).toBeUndefined();
  });

  check(
    "the first swap makes it, further ones replace it, and all clients see each at once",
    async ({ store, reopen }) => {
      const clients = [store, await reopen()];
      let version: Version | undefined;
      for (const text of ["{}", '{"a":1}', "[]", '{"a":2}']) {
        version = await swapped(store.root, version, text);
        for (const client of [...clients, await reopen()]) expect(await client.root.read()).toEqual({ version, text });
      }
    },
  );

  check("versions go from client to client", async ({ store, reopen }) => {
    const other = await reopen();
    const first = await swapped(store.root, undefined, "1");
    const second = await swapped(other.root, first, "2");
    const third = await swapped(store.root, second, "3");
    expect(await other.root.read(third)).toBe("unchanged");
    expect(await other.root.read(second)).toEqual({ version: third, text: "3" });
  });

  check("a version is short and printable, and no two states share one", async ({ store }) => {
    const versions: Version[] = [];
    for (const text of ["a", "b", "a", "b", "a"]) versions.push(await swapped(store.root, versions.at(-1), text));
    for (const version of versions) expect(version).toMatch(/^[\x21-\x7e]{1,200}$/);
    expect(new Set(versions).size).toBe(versions.length);
  });

  check("whoever expects another version changes nothing", async ({ store, reopen }) => {
    const first = await swapped(store.root, undefined, "first");
    expect(await store.root.swap(undefined, "late")).toBeUndefined();
    expect(await (await reopen()).root.swap(undefined, "late")).toBeUndefined();
    const second = await swapped(store.root, first, "second");
    for (const expected of [undefined, first]) {
      for (const client of [store, await reopen()]) {
        expect(await client.root.swap(expected, "late")).toBeUndefined();
        expect(await client.root.read()).toEqual({ version: second, text: "second" });
      }
    }
  });

  check("a text that was there before is another state", async ({ store, reopen }) => {
    const first = await swapped(store.root, undefined, "same");
    const second = await swapped(store.root, first, "other");
    const third = await swapped(store.root, second, "same");
    expect(await (await reopen()).root.swap(first, "late")).toBeUndefined();
    expect(await store.root.read()).toEqual({ version: third, text: "same" });
  });

  check("unchanged is said only of the present version", async ({ store, reopen }) => {
    const other = await reopen();
    const first = await swapped(store.root, undefined, "first");
    expect(await store.root.read(first)).toBe("unchanged");
    expect(await other.root.read(first)).toBe("unchanged");
    const second = await swapped(other.root, first, "second");
    for (const client of [store, other, await reopen()]) {
      expect(await client.root.read(first)).toEqual({ version: second, text: "second" });
      expect(await client.root.read(second)).toBe("unchanged");
      expect(await client.root.read()).toEqual({ version: second, text: "second" });
    }
  });

  check("far behind is as good as near", async ({ store, reopen }) => {
    const old = await reopen();
    let version = await swapped(store.root, undefined, "0");
    const first = version;
    expect(await old.root.read()).toEqual({ version: first, text: "0" });
    for (let n = 1; n <= 12; n++) version = await swapped(store.root, version, String(n));
    expect(await old.root.read(first)).toEqual({ version, text: "12" });
    expect(await old.root.swap(first, "late")).toBeUndefined();
    await swapped(old.root, version, "13");
  });

  check("a text of 600 KB, and every character", async ({ store, reopen }) => {
    const letters = '{"é☃😀\u2028\ufeff\u007f\\u0000":"\t\r\n \'$1 %s ?"}';
    const long = `{"long":"${"0123456789abcdef".repeat(37_500)}é"}`;
    let version: Version | undefined;
    for (const text of [letters, long, `${letters}\n`, "{}"]) {
      version = await swapped(store.root, version, text);
      for (const client of [store, await reopen()]) {
        const state = (await client.root.read()) as RootState;
        expect(state.version).toBe(version);
        expect(state.text === text).toBe(true);
      }
    }
  });

  check("readers meet whole texts only, and never go back", async ({ store, reopen }) => {
    const texts = Array.from({ length: 12 }, (_, n) => `${n}:${String.fromCharCode(97 + n).repeat(50_000 + n)}`);
    const reader = await reopen();
    let done = false;
    const write = (async () => {
      let version: Version | undefined;
      for (const text of texts) version = await swapped(store.root, version, text);
    })().finally(() => {
      done = true;
    });
    let last = -1;
    while (!done) {
      const state = (await reader.root.read()) as RootState | undefined;
      const index = state === undefined ? -1 : texts.indexOf(state.text);
      expect(index >= 0 || state === undefined).toBe(true);
      expect(index).toBeGreaterThanOrEqual(last);
      last = index;
    }
    await write;
  });

  check("waiting ends at once, or with the change, or with its time", async ({ store, reopen }) => {
    const other = await reopen();
    expect(await within(2000, store.root.read(undefined, { wait: 30_000 }))).toBeUndefined();
    const first = await swapped(store.root, undefined, "first");
    expect(await within(5000, store.root.read(first, { wait: 50 }))).toBe("unchanged");
    expect(await within(2000, store.root.read(undefined, { wait: 30_000 }))).toEqual({ version: first, text: "first" });
    const waiting = store.root.read(first, { wait: 30_000 });
    const second = await swapped(other.root, first, "second");
    const answer = await within(5000, waiting);
    if (answer !== "unchanged") expect(answer).toEqual({ version: second, text: "second" });
    expect(await within(2000, store.root.read(first, { wait: 30_000 }))).toEqual({ version: second, text: "second" });
  });

  check("is no object, and objects do not change it", async ({ store }) => {
    const version = await swapped(store.root, undefined, "{}");
    const bytes = new Uint8Array(10);
    const key = await newKey(store, bytes);
    await store.blobs.put(key, bytes);
    await store.blobs.delete(key);
    expect(await store.root.read(version)).toBe("unchanged");
  });
}

export function raceCases(check: Case): void {
  check("of 20 that swap at once exactly one wins", async ({ store, reopen }) => {
    const clients = [store, await reopen(), await reopen(), await reopen()];
    let expected: Version | undefined;
    for (let round = 0; round < 4; round++) {
      const racers = Array.from({ length: 20 }, (_, n) => ({
        text: `${round}/${n}`,
        root: (clients[n % clients.length] as Store).root,
      }));
      const versions = await Promise.all(racers.map(({ root, text }) => root.swap(expected, text)));
      const winners = racers.flatMap(({ text }, n) =>
        versions[n] === undefined ? [] : [{ text, version: versions[n] }],
      );
      expect(winners).toHaveLength(1);
      for (const client of [...clients, await reopen()]) {
        expect(await client.root.read()).toEqual(winners[0] as RootState);
      }
      expected = winners[0]?.version;
    }
  });

  check("no update is lost", async ({ store, reopen }) => {
    const [writers, each] = [6, 4];
    const counted = (state: RootState | undefined): number => Number(state?.text.split(" ")[0] ?? "0");
    const count = async ({ root }: Store, writer: number): Promise<void> => {
      for (let done = 0; done < each; ) {
        const state = (await root.read()) as RootState | undefined;
        const text = `${counted(state) + 1} by ${writer}, its ${done}th`;
        if ((await root.swap(state?.version, text)) !== undefined) done++;
      }
    };
    const clients = await Promise.all(Array.from({ length: writers }, reopen));
    await Promise.all(clients.map(count));
    expect(counted((await store.root.read()) as RootState)).toBe(writers * each);
  });
}

async function swapped(root: Root, expected: Version | undefined, text: string): Promise<Version> {
  const version = await root.swap(expected, text);
  if (version === undefined) throw new Error(`the swap to ${text.slice(0, 50)} was refused`);
  return version;
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not done after ${ms} ms`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
