import { deleteGeneration, restoreGeneration } from "./api.js";
import { tell } from "./outcomes.js";
import { catalog } from "./state.js";
import { toast } from "./elements/toast-stack.js";

/** Delete a generation, and offer to undo it for as long as the server can. */
export async function remove(generation, { onRemoved, onRestored }) {
  try {
    await deleteGeneration(generation.id);
  } catch (problem) {
    if (problem.code === "NOT_FOUND") onRemoved();
    return tell(problem);
  }
  onRemoved();
  const undo = { label: "Undo", run: () => restore(generation, onRestored) };
  toast({ kind: "info", title: "Deleted", text: "It is gone from your gallery.", action: undo, forS: catalog.value.limits.undoDeleteS });
}

async function restore(generation, onRestored) {
  try {
    onRestored(await restoreGeneration(generation.id));
    toast({ kind: "success", title: "It is back", text: "Nothing was lost." });
  } catch (problem) {
    tell(problem);
  }
}
