/** csp's own version, from its package.json; a constant in the bundle. */
import manifest from "../../package.json" with { type: "json" };

export const version: string = manifest.version;
