/**
 * Where a path stands, seen from one tree: in a package that csp installed, or outside, in the user's code.
 * Works on strings alone, so that the hooks cost nothing at start.
 */
export interface Places {
  /** Real path of the tree's `node_modules`: the only place the user's bare imports come from. */
  modules: string;
  /** Directories, with a trailing slash, in which every file belongs to an installed package. */
  packageRoots: readonly string[];
}

/** The places of a tree, given the real path `<data dir>/script-packages/trees/<hash>`. */
export function placesOf(tree: string): Places {
  const trees = tree.slice(0, tree.lastIndexOf("/"));
  const root = trees.slice(0, trees.lastIndexOf("/"));
  return { modules: `${tree}/node_modules`, packageRoots: [`${root}/packages/`, `${tree}/node_modules/`] };
}

/** True for a file of an installed package; false for the user's code, also when the path is no path at all. */
export function isPackageFile(places: Places, file: string): boolean {
  return places.packageRoots.some((root) => file.startsWith(root));
}

/**
 * The package that a bare specifier names (`@acme/tools/sub` → `@acme/tools`), or undefined when the specifier is
 * relative, absolute, a subpath import (`#x`) or a URL such as `node:fs` or `data:…`.
 */
export function packageOf(specifier: string): string | undefined {
  if (specifier === "" || /^[./#\\]|^[a-z][a-z0-9+.-]*:/i.test(specifier)) return undefined;
  const [first = "", second] = specifier.split("/", 2);
  return first.startsWith("@") && second !== undefined ? `${first}/${second}` : first;
}
