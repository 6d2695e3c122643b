/**
 * The root of a file store: `root/1`, `root/2`, … of which each is made once, by whoever was first, and the last one counts.
 * None is ever removed, for a writer that slept would make it anew and believe that it had won. `root/latest` says where to
 * begin looking; it may lag, lie or be missing.
 */
import { lastingAnswer } from "../failures.ts";
import type { Root, RootState, Version } from "../store.ts";
import { fileGuarded } from "./failures.ts";
import { factsOf, readRegular, replaceWith, writeTemporary } from "./io.ts";
import type { Place } from "./place.ts";

/** Far more than a root has whose releases are collected now and then. */
const maxBytes = 64 << 20;

/** A root that exists. */
interface Found {
  number: number;
  version: Version;
}

export function fileRoot(place: Place): Root {
  const { address, directory } = place;

  const find = async (number: number): Promise<Found | undefined> => {
    const facts = await factsOf(`${directory}/root/${number}`);
    if (facts === "other") throw lastingAnswer(address, `has something that is no file under \`root/${number}\``);
    // With the time, so that a store made anew in the same place has other versions.
    return facts && { number, version: `${number}-${Math.trunc(facts.modified * 1000).toString(36)}` };
  };

  /** The last root, given one to begin after. */
  const last = async (start: Found | undefined): Promise<Found | undefined> => {
    let low = start;
    let step = 1;
    for (;;) {
      const next = await find((low?.number ?? 0) + step);
      if (next !== undefined) {
        low = next;
        step *= 2;
      } else if (step === 1) return low;
      else step = 1;
    }
  };

  /** What the version names, where it is still so. */
  const known = async (version: Version | undefined): Promise<Found | undefined> => {
    const number = /^([1-9]\d{0,14})-[0-9a-z]{1,20}$/.exec(version ?? "")?.[1];
    const found = number === undefined ? undefined : await find(Number(number));
    return found?.version === version ? found : undefined;
  };

  const hinted = async (): Promise<Found | undefined> => {
    const bytes = await readRegular(`${directory}/root/latest`, 20);
    const number =
      typeof bytes === "string" ? undefined : /^([1-9]\d{0,14})\n?$/.exec(Buffer.from(bytes).toString())?.[1];
    return number === undefined ? undefined : find(Number(number));
  };

  const textOf = async ({ number, version }: Found): Promise<RootState> => {
    const bytes = await readRegular(`${directory}/root/${number}`, maxBytes);
    if (typeof bytes === "string") throw lastingAnswer(address, `has no usable file under \`root/${number}\``);
    return { version, text: Buffer.from(bytes.buffer).toString() };
  };

  /** A hint is worth no waiting and no failure. */
  const hint = async (number: number): Promise<void> => {
    try {
      const temporary = await writeTemporary(`${directory}/tmp`, Buffer.from(`${number}\n`), false);
      await replaceWith(temporary, `${directory}/root/latest`);
    } catch {}
  };

  return {
    async read(version) {
      await place.ready();
      return fileGuarded(address, "read", async () => {
        const start = await known(version);
        const found = await last(start ?? (await hinted()));
        if (found === undefined) return undefined;
        return found.version === version ? "unchanged" : textOf(found);
      });
    },

    async swap(expected, text) {
      await place.prepare();
      return fileGuarded(address, "write", async () => {
        const before = await known(expected);
        if (expected !== undefined && before === undefined) return undefined;
        const number = (before?.number ?? 0) + 1;
        if ((await find(number)) !== undefined) return undefined;
        if ((await place.create(`root/${number}`, Buffer.from(text))) === "exists") return undefined;
        await hint(number);
        const made = await find(number);
        if (made === undefined) throw lastingAnswer(address, `lost \`root/${number}\` right after it was made`);
        return made.version;
      });
    },
  };
}
