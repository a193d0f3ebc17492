/**
 * Put `root` into a state: show its panels marked `data-shown-when` with that state, hide its other panels.
 * States nest: a panel belongs to its nearest ancestor with `data-state`, so the HTML gives every root its first state.
 */
export function showState(root, state) {
  root.dataset.state = state;
  for (const panel of panelsOf(root)) panel.hidden = panel.dataset.shownWhen !== state;
}

/** The first panel of `root` that its current state shows; undefined if that state has no panel. */
export const shownPanel = (root) => panelsOf(root).find((panel) => panel.dataset.shownWhen === root.dataset.state);

const panelsOf = (root) =>
  [...root.querySelectorAll("[data-shown-when]")].filter((panel) => panel.parentElement.closest("[data-state]") === root);
