import { CspError } from "../../core/errors.ts";
import { explainImport } from "../../ops/run.ts";
import type { CommandModule } from "../command.ts";

/** Questions of the programs that csp starts; not for people, and free to change. */
export const internal: CommandModule = {
  define(command) {
    command.argument("<question>").argument("[name]");
  },
  async run(session, args) {
    const [question, name] = args;
    if (question === "explain-import" && name !== undefined) {
      const lines = explainImport(session.context(), name);
      return { lines, data: { lines } };
    }
    throw new CspError("CSP_USAGE", { message: `there is no question \`${question}\`` });
  },
};
