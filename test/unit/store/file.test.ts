import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { openFileStore } from "../../../src/store/file.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { conformance } from "./conformance.ts";

conformance("a directory", async () => {
  const temp = makeTemp();
  const directory = `${temp}/store`;
  const store = openFileStore(directory, {});
  return {
    store,
    reopen: async () => openFileStore(`file:${directory}`, {}),
    async litter() {
      const name = "0".repeat(128);
      mkdirSync(`${directory}/blobs/${name}.${"1".repeat(32)}`);
      symlinkSync("../../secret", `${directory}/blobs/${name}.${"2".repeat(32)}`);
      for (const odd of [name, ".nfs000001", "README", `${name}.${"3".repeat(32)}~`])
        writeFileSync(`${directory}/blobs/${odd}`, "x");
    },
    close: async () => removeTree(temp),
  };
});
