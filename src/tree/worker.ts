/** The worker that builds instances: one message in, one out. Runs as an entry of its own. */
import { isCspError } from "../core/errors.ts";
import { buildInstances, type InstanceJob } from "./instance.ts";
import type { WorkerAnswer } from "./pool.ts";

declare const self: Worker;

self.onmessage = async (event: MessageEvent<{ job: InstanceJob; bytes: Uint8Array | undefined }>) => {
  const { job, bytes } = event.data;
  let answer: WorkerAnswer;
  try {
    answer = { result: await buildInstances(job, bytes) };
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
