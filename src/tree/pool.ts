/** A few workers for one kind of task, or none where starting them would cost more than the work. */
import type { Code } from "../core/codes.ts";
import { CspError, type ErrorParts } from "../core/errors.ts";
import { type TaskJob, type TaskName, type TaskResult, tasks } from "./tasks.ts";

/** What a worker is sent. */
export interface WorkerQuestion {
  task: TaskName;
  job: unknown;
  bytes: Uint8Array | undefined;
}

/** What it sends back; the result is the task's. */
export type WorkerAnswer =
  | { result: unknown }
  | { failure: ErrorParts & { code: Code } }
  | { thrown: { code?: string | undefined; message: string; path?: string | undefined; syscall?: string | undefined } };

export interface Pool<Name extends TaskName> {
  /** Does one job; `bytes` are handed over and must not be used afterwards. */
  run(job: TaskJob<Name>, bytes?: Uint8Array): Promise<TaskResult<Name>>;
  close(): void;
}

/** A pool of `size` workers; size 0 works in place. Jobs wait for a free worker in the order they came. */
export function createPool<Name extends TaskName>(task: Name, size: number): Pool<Name> {
  if (size === 0) {
    const work = tasks[task] as (job: TaskJob<Name>, bytes?: Uint8Array) => Promise<TaskResult<Name>>;
    return { run: work, close: () => {} };
  }
  const entry = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);
  const workers: Worker[] = [];
  const idle: Worker[] = [];
  const waiting: ((worker: Worker) => void)[] = [];
  for (let i = 0; i < size; i++) {
    const worker = new Worker(entry);
    workers.push(worker);
    idle.push(worker);
  }
  const take = (): Promise<Worker> => {
    const worker = idle.pop();
    return worker === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(worker);
  };
  const give = (worker: Worker): void => {
    const next = waiting.shift();
    if (next === undefined) idle.push(worker);
    else next(worker);
  };
  return {
    async run(job, bytes) {
      const worker = await take();
      try {
        const answer = await ask(worker, { task, job, bytes });
        if ("result" in answer) return answer.result as TaskResult<Name>;
        if ("failure" in answer) throw new CspError(answer.failure.code, answer.failure);
        throw Object.assign(new Error(answer.thrown.message), answer.thrown);
      } finally {
        give(worker);
      }
    },
    close() {
      for (const worker of workers) worker.terminate();
    },
  };
}

function ask(worker: Worker, question: WorkerQuestion): Promise<WorkerAnswer> {
  const { bytes } = question;
  return new Promise((resolve, reject) => {
    worker.onmessage = (event: MessageEvent<WorkerAnswer>) => resolve(event.data);
    worker.onerror = (event) => reject(new Error(`a worker failed: ${event.message}`));
    worker.postMessage(question, bytes === undefined ? [] : [bytes.buffer as ArrayBuffer]);
  });
}
