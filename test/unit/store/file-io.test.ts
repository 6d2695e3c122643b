/** How names get into a file store: over networks that lose answers, on file systems without links, after crashes. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { fileFailure } from "../../../src/store/file/failures.ts";
import { isTemporaryName, publishFile, writeTemporary } from "../../../src/store/file/io.ts";
import { removeAbandoned } from "../../../src/store/file/janitor.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";

let temp: string;
let final: string;

beforeEach(() => {
  temp = makeTemp();
  final = `${temp}/final`;
  mkdirSync(`${temp}/tmp`);
});
afterEach(() => removeTree(temp));

const draft = (text: string): Promise<string> => writeTemporary(`${temp}/tmp`, Buffer.from(text));
const refusal = (code: string): Error => Object.assign(new Error(code), { code, syscall: "link" });
const leftovers = (): string[] => readdirSync(`${temp}/tmp`);

describe("a name is given once", () => {
  test("to the first", async () => {
    expect(await publishFile(await draft("one"), final)).toBe("made");
    expect(await publishFile(await draft("two"), final)).toBe("exists");
    expect(readFileSync(final, "utf8")).toBe("one");
    expect(leftovers()).toEqual([]);
  });

  test.each(["EEXIST", "EIO", "ETIMEDOUT", "EPERM"])("also where the link was made and %s came back", async (code) => {
    const lost = async (from: string, to: string): Promise<void> => {
      linkSync(from, to);
      throw refusal(code);
    };
    expect(await publishFile(await draft("one"), final, lost)).toBe("made");
    expect(readFileSync(final, "utf8")).toBe("one");
    expect(leftovers()).toEqual([]);
  });

  test("not where somebody else has it", async () => {
    writeFileSync(final, "other");
    const taken = async (): Promise<void> => {
      throw refusal("EEXIST");
    };
    expect(await publishFile(await draft("one"), final, taken)).toBe("exists");
    expect(readFileSync(final, "utf8")).toBe("other");
  });

  test.each(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"])(
    "by a rename that replaces nothing where links give %s",
    async (code) => {
      const unable = async (): Promise<void> => {
        throw refusal(code);
      };
      expect(await publishFile(await draft("one"), final, unable)).toBe("made");
      expect(await publishFile(await draft("two"), final, unable)).toBe("exists");
      expect(readFileSync(final, "utf8")).toBe("one");
      expect(leftovers()).toEqual([]);
    },
  );

  test("and any other failure is told, with nothing left", async () => {
    const broken = async (): Promise<void> => {
      throw refusal("EIO");
    };
    await expect(publishFile(await draft("one"), final, broken)).rejects.toThrow("EIO");
    expect(existsSync(final)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test("a janitor took the draft away: an error, and no name", async () => {
    const path = await draft("one");
    renameSync(path, `${temp}/gone`);
    await expect(publishFile(path, final)).rejects.toThrow("ENOENT");
    expect(existsSync(final)).toBe(false);
  });
});

describe("the janitor", () => {
  const aged = async (hours: number): Promise<string> => {
    const path = await draft("x");
    const time = Date.now() / 1000 - hours * 3600;
    utimesSync(path, time, time);
    return path.slice(`${temp}/tmp/`.length);
  };

  test("takes drafts that are older than a day, and nothing else", async () => {
    const [old, older] = [await aged(24.5), await aged(9000)];
    const kept = [await aged(0), await aged(23.5), await aged(-48)];
    for (const name of ["README", `${old}.txt`, ".keep"]) {
      writeFileSync(`${temp}/tmp/${name}`, "");
      utimesSync(`${temp}/tmp/${name}`, 1, 1);
      kept.push(name);
    }
    const folder = `host-1-${"0".repeat(32)}`;
    mkdirSync(`${temp}/tmp/${folder}`);
    utimesSync(`${temp}/tmp/${folder}`, 1, 1);
    await removeAbandoned(`${temp}/tmp`);
    expect(leftovers().sort()).toEqual([...kept, folder].sort());
    for (const name of [old, older]) expect(isTemporaryName(name)).toBe(true);
  });
});

describe("what the operating system refuses", () => {
  test.each([
    ["EROFS", "write", "CSP_STORE_READ_ONLY"],
    ["EACCES", "write", "CSP_STORE_READ_ONLY"],
    ["EPERM", "write", "CSP_STORE_READ_ONLY"],
    ["EACCES", "read", "CSP_STORE_DENIED"],
    ["ENOTDIR", "read", "CSP_STORE_ANSWER"],
    ["ELOOP", "write", "CSP_STORE_ANSWER"],
    ["ENOSPC", "write", "CSP_DISK_FULL"],
    ["EDQUOT", "write", "CSP_DISK_FULL"],
    ["EMFILE", "read", "CSP_IO"],
    ["ESTALE", "read", "CSP_STORE_UNREACHABLE"],
    ["EIO", "write", "CSP_STORE_UNREACHABLE"],
    ["ETIMEDOUT", "read", "CSP_STORE_UNREACHABLE"],
    ["ENOTCONN", "read", "CSP_STORE_UNREACHABLE"],
  ] as const)("%s of a %s is %s", (code, doing, expected) => {
    expect(fileFailure("file:/srv/csp", refusal(code), doing)).toMatchObject({ code: expected });
  });

  test("a defect passes as it is", () => {
    const defect = new TypeError("undefined is not a function");
    expect(fileFailure("file:/srv/csp", defect, "read")).toBe(defect);
  });
});
