import { getCatalog, getSession } from "./api.js";
import { part } from "./dom.js";
import { showState, shownPanel } from "./panels.js";
import { reportProblem } from "./report-problem.js";
import { route } from "./router.js";
import { setUser } from "./session.js";
import { catalog } from "./state.js";
import "./elements/account-menu.js";
import "./elements/auth-dialog.js";
import "./elements/create-view.js";
import "./elements/credit-balance.js";
import "./elements/gallery-view.js";

const main = document.querySelector("main");
const links = [...document.querySelectorAll("nav a")];

route.subscribe(({ view }) => {
  const changed = main.dataset.state !== view;
  showState(main, view);
  for (const link of links) link.ariaCurrent = link.hash === `#/${view}` ? "page" : null;
  const shown = shownPanel(main);
  document.title = shown.dataset.title;
  if (changed) part(shown, "heading").focus();
});

document.querySelector(".skip-link").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

async function start() {
  try {
    const [loaded, session] = await Promise.all([getCatalog(), getSession()]);
    catalog.value = loaded;
    await setUser(session.user);
  } catch (problem) {
    reportProblem(problem, start);
  }
}

start();
