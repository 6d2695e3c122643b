import { expect, test } from "bun:test";
import { nearestVersion } from "../../../src/resolve/nearest-version.ts";

const versions = ["0.9.0", "1.2.3", "1.2.10", "1.3.0", "2.0.0", "3.0.0-rc.1", "not a version", "v4.0.0"];
const times = { "1.2.10": "2024-05-01T10:00:00.000Z", "1.3.0": "2025-05-01T10:00:00.000Z", "2.0.0": "yesterday" };

test.each([
  ["1.2.99", "1.2.10", "the same minor"],
  ["1.9.0", "1.3.0", "the same major"],
  ["^1.9.0", "1.3.0", "a range"],
  ["7.0.0", "1.3.0", "what `latest` names"],
  ["bogus", "1.3.0", "a tag"],
  ["3.0.0-beta.1", "3.0.0-rc.1", "a prerelease, when one was wanted"],
  ["3.0.0", "1.3.0", "no prerelease, when none was wanted"],
])("%s: %s (%s)", async (wanted, expected) => {
  const nearest = await nearestVersion(wanted, versions, { latest: "1.3.0" }, times);
  expect(nearest?.version).toBe(expected);
});

test("the newest where `latest` is no help", async () => {
  expect(await nearestVersion("7.0.0", versions, {}, times)).toEqual({ version: "2.0.0" });
  expect(await nearestVersion("7.0.0", ["1.0.0-a"], {}, {})).toEqual({ version: "1.0.0-a" });
  expect(await nearestVersion("7.0.0", ["x"], { latest: "x" }, {})).toBeUndefined();
});

test("the day of publication, where the registry tells one", async () => {
  expect(await nearestVersion("1.2.99", versions, {}, times)).toEqual({ version: "1.2.10", published: "2024-05-01" });
});

test("only what is old enough, and of known age", async () => {
  const before = Date.parse("2025-01-01");
  expect((await nearestVersion("1.3.0", versions, { latest: "1.3.0" }, times, before))?.version).toBe("1.2.10");
  expect(await nearestVersion("2.0.0", ["2.0.0"], {}, times, before)).toBeUndefined();
});
