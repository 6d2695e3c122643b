/** What a worker can do. Arguments and results are plain data, so that a task runs the same in a worker and in place. */
import { checkPackages } from "./check-package.ts";
import { buildInstances } from "./instance.ts";

/** By name: one job, and bytes that are handed over with it. */
export const tasks = { build: buildInstances, check: checkPackages } as const;

type Tasks = typeof tasks;

export type TaskName = keyof Tasks;
export type TaskJob<Name extends TaskName> = Parameters<Tasks[Name]>[0];
export type TaskResult<Name extends TaskName> = Awaited<ReturnType<Tasks[Name]>>;
