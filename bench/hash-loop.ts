/**
 * What verifying is measured against: reads and hashes the same bytes, and nothing else.
 *
 *   bun bench/hash-loop.ts FOLDER…    prints how many files and bytes there were, and what the hashing took in milliseconds
 *
 * The names are listed first and dealt out to one worker for each processor core; each reads a file whole, hashes it with sha512, and
 * forgets it.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { availableParallelism } from "node:os";
import { isMainThread } from "node:worker_threads";

declare const self: Worker;

const bufferSize = 1024 * 1024;

function list(folder: string, files: string[]): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) list(path, files);
    else if (entry.isFile()) files.push(path);
  }
}

/** Bytes read. */
function hashAll(files: readonly string[]): number {
  const buffer = Buffer.allocUnsafeSlow(bufferSize);
  let total = 0;
  for (const file of files) {
    const fd = openSync(file, "r");
    const { size } = fstatSync(fd);
    const hasher = new Bun.CryptoHasher("sha512");
    for (let at = 0; at < size; ) {
      const got = readSync(fd, buffer, 0, bufferSize, null);
      if (got === 0) break;
      hasher.update(buffer.subarray(0, got));
      at += got;
    }
    closeSync(fd);
    hasher.digest("hex");
    total += size;
  }
  return total;
}

if (isMainThread) {
  const files: string[] = [];
  const workers = Array.from({ length: availableParallelism() }, () => new Worker(import.meta.url));
  for (const folder of process.argv.slice(2)) list(folder, files);
  const started = performance.now();
  const chunk = 256;
  let next = 0;
  let bytes = 0;
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise<void>((resolve) => {
          const give = (): void => {
            if (next >= files.length) resolve();
            else worker.postMessage(files.slice(next, next + chunk));
            next += chunk;
          };
          worker.onmessage = (event: MessageEvent<number>) => {
            bytes += event.data;
            give();
          };
          give();
        }),
    ),
  );
  console.log(JSON.stringify({ files: files.length, bytes, hashMs: performance.now() - started }));
  for (const worker of workers) worker.terminate();
} else {
  self.onmessage = (event: MessageEvent<string[]>) => self.postMessage(hashAll(event.data));
}
