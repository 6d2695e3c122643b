// How much room is left on this host, for people.
import { statfsSync } from "node:fs";
import prettyBytes from "pretty-bytes";

const { bavail, bsize } = statfsSync("/");
console.log(`${prettyBytes(bavail * bsize)} free`);
