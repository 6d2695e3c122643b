import { requireCurrent } from "../../ops/current-tree.ts";
import type { CommandModule } from "../command.ts";

export const root: CommandModule = {
  define() {},
  async run(session) {
    const { hash, folder, modules } = requireCurrent(session.context());
    return { lines: [modules], data: { hash, tree: folder, modules } };
  },
};
