/** The worker that does tasks: one message in, one out. Runs as an entry of its own. */
import { isCspError } from "../core/errors.ts";
import type { WorkerAnswer, WorkerQuestion } from "./pool.ts";
import { tasks } from "./tasks.ts";

declare const self: Worker;

self.onmessage = async (event: MessageEvent<WorkerQuestion>) => {
  const { task, job, bytes } = event.data;
  let answer: WorkerAnswer;
  try {
    const work = tasks[task] as (job: unknown, bytes: Uint8Array | undefined) => Promise<unknown>;
    answer = { result: await work(job, bytes) };
  } catch (error) {
    if (isCspError(error)) {
      const { code, message, details, hint, data } = error;
      answer = { failure: { code, message, details, data, ...(hint === undefined ? {} : { hint }) } };
    } else {
      const { code, message, path, syscall } = error as NodeJS.ErrnoException;
      answer = { thrown: { code, message, path, syscall } };
    }
  }
  self.postMessage(answer);
};
