/**
 * Main modules that Bun shows to no plugin: code from the command line or standard input, and files without an ending.
 * Such a text runs from a file in the scratch directory that stands for the place the text belongs to.
 */

/** How the scratch directory's copy and the place it stands for reach the hook. */
export interface CodeFile {
  /** Path of the copy. */
  path: string;
  /** Path it stands for: the script, or `<working directory>/[code]`, which is no file. */
  standsFor: string;
}

/** Name of the copy: TypeScript where it parses as such, else with JSX in it. */
export function codeFileName(text: string): string {
  try {
    new Bun.Transpiler({ loader: "ts" }).scan(text.startsWith("#!") ? `//${text.slice(2)}` : text);
    return "code.ts";
  } catch {
    return "code.tsx";
  }
}

/** The copy of this process, as its environment tells. */
export function codeFileOf(env: NodeJS.ProcessEnv): CodeFile | undefined {
  const { CSP_RUN_CODE: path, CSP_RUN_CODE_FOR: standsFor } = env;
  return path === undefined || standsFor === undefined ? undefined : { path, standsFor };
}

/** A statement for the start of a module: what `import.meta` says is the place the copy stands for. */
export function metaOf({ standsFor }: CodeFile): string {
  const directory = standsFor.slice(0, standsFor.lastIndexOf("/")) || "/";
  const file = standsFor.slice(standsFor.lastIndexOf("/") + 1);
  const values = {
    url: Bun.pathToFileURL(standsFor).href,
    path: standsFor,
    filename: standsFor,
    dir: directory,
    dirname: directory,
    file,
  };
  return `for(const [k,value] of Object.entries(${JSON.stringify(values)}))Object.defineProperty(import.meta,k,{value});`;
}
