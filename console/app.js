// The frame of the console: login, navigation, and which page is shown.

import {connection, get, login, RequestError, session} from "./api.js";
import {h, icon, replace, setAttribute, setText} from "./ui.js";

const PAGES = [
  ["overview", "Overview"], ["tables", "Tables"], ["query", "Query"],
  ["statements", "Statements"], ["snapshots", "Snapshots"], ["events", "Events"],
];

const main = h("main", {id: "main", tabindex: "-1"});
const offlineBar = h("div", {class: "offline", role: "alert", hidden: true, "data-test": "offline"});
let frame, leavePage, shownRoute;
/** Whether pages were shown to somebody who was asked to sign in again. */
let hasShown = false;

function themeButton() {
  const change = () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("magic.theme", theme);
    document.dispatchEvent(new Event("themechange"));
  };
  return h("button", {class: "plain", onclick: change, "aria-label": "Light or dark", title: "Light or dark", "data-test": "theme"},
    icon("theme"));
}

const brand = () => h("span", {class: "brand"}, h("span", {class: "mark", "aria-hidden": "true"}), "Magic");

// Login.

function showLogin(message) {
  leave();
  const user = h("input", {id: "user", name: "user", autocomplete: "username", "data-test": "login-user", autofocus: true});
  const password = h("input", {id: "password", name: "password", type: "password", autocomplete: "current-password",
    required: true, "data-test": "login-password"});
  const problem = h("p", {class: "problem", role: "alert", "data-test": "login-error"}, message);
  const submit = async event => {
    event.preventDefault();
    login.set(user.value, password.value);
    setText(problem, "");
    if (!await begin()) setText(problem, "The server does not know this user with this password.");
    // What was shown to somebody before is not for everybody.
    else if (hasShown) location.reload();
  };
  replace(document.body, offlineBar, h("main", {class: "login"},
    h("form", {onsubmit: submit, class: "card"},
      brand(),
      h("p", {class: "muted"}, "The live columnar copy of your MySQL or MariaDB."),
      h("label", {for: "user"}, "User"), user,
      h("label", {for: "password"}, "Password"), password,
      h("p", {class: "hint"}, "To use a token, leave the user empty."),
      problem,
      h("button", {class: "primary", type: "submit", "data-test": "login-submit"}, "Sign in"))));
  user.focus();
}

function signOut() {
  login.clear();
  // Everything that was shown to this user goes with the page.
  location.hash = "";
  location.reload();
}

// The frame around the pages.

function buildFrame() {
  const {user, role, isOpen, version} = session.me;
  const menu = h("button", {class: "plain menu", "aria-expanded": "false", "aria-controls": "nav", "aria-label": "Menu",
    onclick: () => setMenu(!document.body.classList.contains("menu-open"))}, icon("menu"));
  const setMenu = isOpen => {
    document.body.classList.toggle("menu-open", isOpen);
    menu.setAttribute("aria-expanded", isOpen);
  };
  const links = PAGES.map(([name, title]) =>
    h("a", {href: `#${name}`, "data-test": `nav-${name}`, onclick: () => setMenu(false)}, icon(name), title));
  const skip = event => {
    event.preventDefault();
    main.focus();
  };
  const sidebar = h("div", {class: "sidebar"},
    h("div", {class: "top"}, brand(), menu),
    h("nav", {id: "nav", "aria-label": "Pages"},
      links,
      h("div", {class: "who"},
        h("div", {}, h("strong", {"data-test": "user"}, user ?? "Everybody"), h("span", {class: "muted", "data-test": "role"}, isOpen ? `${role}, no users configured` : role)),
        h("div", {class: "buttons"}, themeButton(),
          !isOpen && h("button", {class: "plain", onclick: signOut, "aria-label": "Sign out", title: "Sign out", "data-test": "sign-out"}, icon("leave")))),
      h("div", {class: "versions muted"}, `Magic ${version}`)));
  replace(document.body, h("a", {class: "skip", href: "#main", onclick: skip}, "To the content"), offlineBar, h("div", {class: "frame"}, sidebar, main));
  return {links};
}

function leave() {
  leavePage?.();
  leavePage = shownRoute = undefined;
}

/** The hash is `#page` or `#page?name=value`. */
async function showPage() {
  if (!frame) return;
  const [wanted, parameters = ""] = location.hash.slice(1).split(/\?(.*)/s);
  const [name, title] = PAGES.find(([name]) => name === wanted) ?? PAGES[0];
  const route = {name};
  leave();
  shownRoute = route;
  for (const link of frame.links) {
    setAttribute(link, "aria-current", link.hash === `#${name}` && "page");
  }
  document.title = `${title} – Magic`;
  replace(main, h("h1", {class: "page-title"}, title));
  try {
    const page = await import(`./${name}.js`);
    if (shownRoute !== route) return;
    leavePage = page.show(main, new URLSearchParams(parameters));
  } catch (error) {
    main.append(h("p", {class: "problem", role: "alert"}, error.message));
  }
}

/** Asks who we are, and shows the page or the login. @returns whether somebody is let in. */
async function begin() {
  try {
    session.me = await get("me");
  } catch (error) {
    if (!(error instanceof RequestError)) {
      // Not reachable: the bar tells, and "online" begins again.
      frame = undefined;
      return true;
    }
    if (error.status !== 401) showLogin(error.message);
    return false;
  }
  frame = buildFrame();
  showPage();
  return true;
}

connection.addEventListener("login", () => {
  hasShown ||= frame !== undefined;
  frame = undefined;
  login.clear();
  if (!document.querySelector(".login")) showLogin(hasShown ? "Please sign in again." : "");
});
connection.addEventListener("offline", () => {
  setText(offlineBar, "The server cannot be reached. Trying again…");
  offlineBar.hidden = false;
});
connection.addEventListener("online", () => {
  offlineBar.hidden = true;
  if (!frame && !document.querySelector(".login")) begin();
});
addEventListener("hashchange", event => {
  if (new URL(event.newURL).hash !== "#main") showPage();
});

document.body.append(offlineBar);
begin();
