import { getCatalog, getSession } from "./api.js";
import { part } from "./dom.js";
import { tell } from "./outcomes.js";
import { route } from "./router.js";
import { enter } from "./session.js";
import { catalog } from "./state.js";
import "./elements/account-menu.js";
import "./elements/auth-dialog.js";
import "./elements/create-view.js";
import "./elements/credit-balance.js";
import "./elements/gallery-view.js";

const views = [...document.querySelectorAll("[data-view]")];
const links = [...document.querySelectorAll("nav a")];

route.follow(({ view }) => {
  const shown = views.find((element) => element.dataset.view === view);
  const moved = shown.hidden;
  for (const element of views) element.hidden = element !== shown;
  for (const link of links) link.ariaCurrent = link.hash === `#/${view}` ? "page" : null;
  document.title = shown.dataset.title;
  if (moved) part(shown, "heading").focus();
});

document.querySelector(".skip-link").addEventListener("click", (event) => {
  event.preventDefault();
  document.querySelector("main").focus();
});

async function start() {
  try {
    const [known, session] = await Promise.all([getCatalog(), getSession()]);
    catalog.value = known;
    await enter(session.user);
  } catch (problem) {
    tell(problem, start);
  }
}

start();
