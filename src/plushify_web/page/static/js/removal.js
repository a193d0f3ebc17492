import { deleteGeneration, restoreGeneration } from "./api.js";
import { reportProblem } from "./report-problem.js";
import { catalog } from "./state.js";
import { toast } from "./elements/toast-stack.js";

/** Ask the gallery around `element`, by a `remove` event, to delete a generation. */
export const requestRemoval = (element, generation) =>
  element.dispatchEvent(new CustomEvent("remove", { bubbles: true, detail: generation }));

/** Delete a generation, and offer to undo it for as long as the server can. */
export async function removeWithUndo(generation, { onRemoved, onRestored }) {
  try {
    await deleteGeneration(generation.id);
  } catch (problem) {
    if (problem.code === "NOT_FOUND") onRemoved();
    return reportProblem(problem);
  }
  onRemoved();
  const undo = { label: "Undo", run: () => restore(generation, onRestored) };
  toast({ kind: "info", title: "Deleted", text: "It is gone from your gallery.", action: undo, durationS: catalog.value.limits.undoDeleteS });
}

async function restore(generation, onRestored) {
  try {
    onRestored(await restoreGeneration(generation.id));
    toast({ kind: "success", title: "It is back", text: "Nothing was lost." });
  } catch (problem) {
    reportProblem(problem);
  }
}
