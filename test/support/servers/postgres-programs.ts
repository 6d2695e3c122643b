/** Where the programs of a Postgres server are installed. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The folder with initdb and postgres, of the newest version there is; undefined where none is installed. */
export function postgresPrograms(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((version) => join(debian, version, "bin"));
  const config = Bun.which("pg_config");
  if (config !== null) folders.push(spawnSync(config, ["--bindir"], { encoding: "utf8" }).stdout.trim());
  return folders.find((folder) => ["initdb", "postgres", "psql"].every((name) => existsSync(join(folder, name))));
}
