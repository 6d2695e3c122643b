import { editByName } from "../edit-report.ts";

export const remove = editByName("removed", (name) => ({ remove: name }));
