/** The parts of `node:module` that both runtimes let a program replace and that no type file lists. */
import Module from "node:module";

export interface ResolveParent {
  id?: string;
  filename?: string | null;
  paths?: string[];
}

export type ResolveFilename = (
  request: string,
  parent: ResolveParent | string | null | undefined,
  isMain: boolean,
  options?: { paths?: readonly string[] },
) => string;

export type ExtensionHandler = (module: CompilableModule, file: string) => unknown;

export interface CompilableModule extends NodeModule {
  _compile(text: string, file: string): unknown;
}

export const internals = Module as unknown as {
  _resolveFilename: ResolveFilename;
  _extensions: Record<string, ExtensionHandler | undefined>;
  _cache: Record<string, NodeModule | undefined>;
  new (id: string): CompilableModule;
};

/** Looks a request up from a directory as require would; throws where there is nothing. */
export function requireLookup(resolveFilename: ResolveFilename): (request: string, directory: string) => string {
  return (request, directory) => {
    const filename = `${directory}/csp-run.js`;
    return resolveFilename.call(internals, request, { id: filename, filename, paths: [directory] }, false);
  };
}
