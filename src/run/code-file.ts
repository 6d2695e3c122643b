/**
 * Code from the command line or standard input, under Bun. Bun asks no plugin about such code, so it runs from a file in
 * the scratch directory whose imports are answered as if it stood in the working directory.
 */

/** Name of the file in the scratch directory. */
export const codeFile = "code.ts";

/** The place that stands for an importer: itself, but a file of the working directory for the code above. */
export function standIn(importer: string, env: NodeJS.ProcessEnv): string {
  const { CSP_RUN_DIR: scratch, CSP_RUN_CODE: directory } = env;
  return directory !== undefined && importer === `${scratch}/${codeFile}` ? `${directory}/[code]` : importer;
}
