// The page: who it is about, which parts it has, and which one is shown.
import { askJson, find, pause, send, trouble } from "./dom.js";
import * as live from "./live.js";
import * as review from "./review.js";
import * as teach from "./teach.js";
import * as trial from "./try.js";

const PARTS = { live, review, try: trial, teach };
const RETRY_MS = 2000;
let about = null;
let parts = [];
let here = null;

/** Learns who the bin is; again when it has begun anew, maybe with other classes. */
async function meet() {
  const told = await askJson("/api/about");
  // Another version has other files than these.
  if (about && about.version !== told.version) { location.reload(); return; }
  if (!about) begin();
  about = told;
  document.title = `${about.name} · sorter`;
  find("name").textContent = about.name;
  find("login").hidden = true;
  find("leave").hidden = !about.is_locked;
  parts = Object.keys(PARTS).filter((name) => about.parts[name]);
  for (const link of document.querySelectorAll("#tabs a")) link.hidden = !parts.includes(link.dataset.part);
  find("tabs").hidden = parts.length < 2;
  for (const name of parts) PARTS[name].meet(about);
  const entered = route();
  if (about.parts.live) live.watch();
  await entered;
}

function begin() {
  for (const part of Object.values(PARTS)) part.begin();
  find("leave").onclick = async () => { await send("/api/session", null, "DELETE"); lock(); };
}

/** Goes on until the bin has said who it is, or asks who we are. */
async function meetPatiently() {
  for (;;) {
    try {
      await meet();
      live.showProblems([]);
      return;
    } catch (error) {
      if (error.status === 401) return;
      live.showProblems([trouble(error)]);
      await pause(RETRY_MS);
    }
  }
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
  live.showProblems([]);
  find("login").hidden = false;
  find("token").focus();
}

async function show(token) {
  find("login-error").textContent = "";
  try {
    await send("/api/session", { token });
    find("token").value = "";
    await meet();
  } catch (error) {
    find("login").hidden = false;
    find("login-error").textContent = trouble(error);
  }
}

document.addEventListener("locked", lock);
document.addEventListener("anew", meetPatiently);
find("login-form").onsubmit = (event) => {
  event.preventDefault();
  show(find("token").value);
};

/** A link may carry the token behind the #, which browsers do not send to anybody; also into a page that is open. */
function carried() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", "/");
  return token;
}

window.addEventListener("hashchange", () => {
  const token = carried();
  if (token) show(token);
  else if (here) route();
});
const token = carried();
if (token) show(token);
else meetPatiently();
