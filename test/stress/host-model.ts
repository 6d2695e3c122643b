/**
 * What must hold of a host at every moment at which no command runs, whatever ran or was killed before. Told without
 * csp's help: from the file system, and from what the test published.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { PackageSpec } from "../support/packages.ts";

export interface HostModel {
  /** What is wrong, in words; empty where nothing is. */
  check(expected: Expected): string[];
  /** What `current` says. */
  current(): string | undefined;
  trees(): string[];
}

export interface Expected {
  /** Hashes whose pins a command has confirmed and none has taken away. */
  pins: ReadonlySet<string>;
  /** Hashes of trees that scripts run on. */
  leased: ReadonlySet<string>;
  /** No command was killed since the last collection: nothing may lie about in `tmp`. */
  tidy: boolean;
}

const known =
  /^(?:cache|packages|trees|locks|leases|pins|tmp|quarantine|stamps|\.runs|current|journal\.jsonl|gc\.json|\.gitignore)$/;
const hashForm = /^[0-9a-f]{64}$/;

/** Judges the host below `root`, the folder of `current`, by the packages that there are. */
export function createHostModel(root: string, packages: readonly PackageSpec[]): HostModel {
  const published = new Map(packages.map((spec) => [`${spec.name}@${spec.version}`, spec.files ?? {}]));
  /** A hash means the same for ever. */
  const meanings = new Map<string, string>();

  const current = (): string | undefined => {
    const path = join(root, "current");
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
    return /^trees\/([0-9a-f]{64})$/.exec(readlinkSync(path))?.[1] ?? "nothing that is a tree";
  };
  const trees = (): string[] => namesIn(join(root, "trees"));

  function check({ pins, leased, tidy }: Expected): string[] {
    const wrong: string[] = [];
    const now = current();
    const present = trees();
    for (const hash of present) wrong.push(...treeFaults(hash));
    if (now !== undefined && !present.includes(now)) wrong.push(`current leads to ${now}, which is not there`);
    for (const hash of pins) if (!present.includes(hash)) wrong.push(`the pinned tree ${hash} is gone`);
    for (const hash of leased)
      if (!present.includes(hash)) wrong.push(`the tree ${hash} that a script runs on is gone`);
    wrong.push(...blobFaults(), ...journalFaults(now));
    for (const name of namesIn(root)) {
      if (!known.test(name) && (tidy || !/^\.csp-\d+-\d+$/.test(name))) wrong.push(`${name} has no business here`);
    }
    if (tidy) {
      for (const name of namesIn(join(root, "tmp"))) wrong.push(`tmp/${name} is left over`);
      const runs = namesIn(join(root, ".runs")).length;
      if (runs > 0 && leased.size === 0) wrong.push(`${runs} folders of runs are left over`);
    }
    return wrong;
  }

  function treeFaults(hash: string): string[] {
    if (!hashForm.test(hash)) return [`trees/${hash} is no hash`];
    const folder = join(root, "trees", hash);
    try {
      const lockfile = Bun.JSONC.parse(readFileSync(join(folder, "script-packages.lock"), "utf8")) as Lock;
      JSON.parse(readFileSync(join(folder, "tree.json"), "utf8"));
      const wanted = Object.entries(lockfile.workspaces?.[""]?.dependencies ?? {}).sort();
      const found = namesIn(join(folder, "node_modules")).filter((name) => name !== ".bin");
      const seen = new Set<string>();
      const wrong = wanted.flatMap(([name, version]) =>
        packageFaults(join(folder, "node_modules", name), name, version, seen),
      );
      const linked =
        lockfile.csp?.linker === "hoisted" ? found.filter((name) => name in (lockfile.packages ?? {})) : found;
      const names = wanted.map(([name]) => name);
      for (const name of names) if (!linked.includes(name)) wrong.push(`${name} is missing`);
      if (lockfile.csp?.linker !== "hoisted")
        for (const name of found) if (!names.includes(name)) wrong.push(`${name} is there and not wanted`);
      const meaning = JSON.stringify([wanted, [...seen].sort()]);
      if ((meanings.get(hash) ?? meaning) !== meaning) wrong.push(`was ${meanings.get(hash)} and is ${meaning}`);
      if (wrong.length === 0) meanings.set(hash, meaning);
      return wrong.map((text) => `tree ${hash.slice(0, 12)}: ${text}`);
    } catch (error) {
      return [`tree ${hash.slice(0, 12)}: ${error}`];
    }
  }

  /** The package has exactly the files that were published, and finds what it depends on. */
  function packageFaults(link: string, name: string, version: string, seen: Set<string>): string[] {
    const files = published.get(`${name}@${version}`);
    if (files === undefined) return [`${name}@${version} was never published`];
    const folder = realpathSync(link);
    if (seen.has(`${name}@${version}`)) return [];
    seen.add(`${name}@${version}`);
    const wrong: string[] = [];
    const names = namesIn(folder).filter((each) => each !== "node_modules");
    if (names.join() !== Object.keys(files).sort().join())
      wrong.push(`${name}@${version} has the files ${names.join(", ")}`);
    for (const each of names) {
      if (readFileSync(join(folder, each), "utf8") !== files[each])
        wrong.push(`${name}@${version}: ${each} is not what it was`);
    }
    const { dependencies = {} } = JSON.parse(files["package.json"] ?? "{}") as {
      dependencies?: Record<string, string>;
    };
    for (const [dependency, wanted] of Object.entries(dependencies)) {
      const at = lookUp(folder, dependency);
      if (at === undefined) wrong.push(`${name}@${version} does not find ${dependency}`);
      else wrong.push(...packageFaults(at, dependency, wanted, seen));
    }
    return wrong;
  }

  function blobFaults(): string[] {
    const cache = join(root, "cache/v1");
    return namesIn(cache).flatMap((part) =>
      namesIn(join(cache, part)).flatMap((digest) => {
        const bytes = readFileSync(join(cache, part, digest));
        const actual = new Bun.CryptoHasher("sha512").update(bytes).digest("hex");
        return actual === digest && digest.startsWith(part) ? [] : [`the blob ${digest} holds something else`];
      }),
    );
  }

  /** Numbered without a gap; what the last entry says of `current` is true, or was about to become true. */
  function journalFaults(now: string | undefined): string[] {
    const path = join(root, "journal.jsonl");
    if (!existsSync(path)) return now === undefined ? [] : ["there is no journal"];
    const lines = readFileSync(path, "utf8").split("\n");
    const torn = lines.pop();
    const entries: { seq: number; from: string | null; to: string }[] = [];
    for (const line of lines) {
      try {
        entries.push(JSON.parse(line));
      } catch {
        // A crash tore it, and what came after goes on behind it.
      }
    }
    const gap = entries.findIndex(({ seq }, i) => seq !== i + 1);
    if (gap >= 0) return [`entry ${gap + 1} of the journal has the number ${entries[gap]?.seq}`];
    const last = entries.at(-1);
    if (torn !== "" || last === undefined || last.to === now || last.from === (now ?? null)) return [];
    return [`the journal ends with ${last.to.slice(0, 12)} and current is ${now?.slice(0, 12)}`];
  }

  return { check, current, trees };
}

interface Lock {
  workspaces?: Record<string, { dependencies?: Record<string, string> }>;
  packages?: Record<string, unknown>;
  csp?: { linker?: string };
}

/** As Node looks for a package from a folder of real path. */
function lookUp(from: string, name: string): string | undefined {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (existsSync(candidate)) return candidate;
  }
  return undefined;
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}
