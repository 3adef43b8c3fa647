// The page: who it is about, which parts it has, and which one is shown.
import { askJson, find, send } from "./dom.js";
import * as live from "./live.js";
import * as review from "./review.js";
import * as teach from "./teach.js";
import * as trial from "./try.js";

const PARTS = { live, review, try: trial, teach };
let parts = [];
let here = null;
let hasBegun = false;

async function open() {
  const about = await askJson("/api/about");
  find("login").hidden = true;
  if (!hasBegun) begin(about);
  hasBegun = true;
  if (about.parts.live) live.watch();
  route();
}

function begin(about) {
  document.title = `${about.name} · sorter`;
  find("name").textContent = about.name;
  parts = Object.keys(PARTS).filter((name) => about.parts[name]);
  for (const link of document.querySelectorAll("#tabs a")) link.hidden = !parts.includes(link.dataset.part);
  find("tabs").hidden = parts.length < 2;
  for (const name of parts) PARTS[name].begin(about);
  window.addEventListener("hashchange", route);
}

async function route() {
  const wanted = location.hash.slice(1);
  const name = parts.includes(wanted) ? wanted : parts[0];
  if (here && here !== name) PARTS[here].leave();
  for (const other of Object.keys(PARTS)) find(other).hidden = other !== name;
  for (const link of document.querySelectorAll("#tabs a")) {
    if (link.dataset.part === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (here === name) return;
  here = name;
  await PARTS[name].enter();
}

function lock() {
  live.unwatch();
  if (here) PARTS[here].leave();
  here = null;
  for (const name of Object.keys(PARTS)) find(name).hidden = true;
  find("tabs").hidden = true;
  find("state").hidden = true;
  find("login").hidden = false;
  find("token").focus();
}

async function show(token) {
  await send("/api/session", { token });
  find("tabs").hidden = parts.length < 2;
  await open();
}

document.addEventListener("locked", lock);
find("login-form").onsubmit = async (event) => {
  event.preventDefault();
  find("login-error").textContent = "";
  try {
    await show(find("token").value);
    find("token").value = "";
  } catch (error) {
    find("login-error").textContent = error.message;
  }
};

// A link may carry the token behind the #, which browsers do not send to anybody.
const carried = new URLSearchParams(location.hash.slice(1)).get("token");
if (carried) history.replaceState(null, "", "/");
(carried ? show(carried) : open()).catch((error) => {
  if (error.status !== 401) find("problems").replaceChildren(document.createTextNode(error.message));
});
