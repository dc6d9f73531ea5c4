// What pages do beyond forms and links; each of them works without.
const root = document.documentElement;
root.classList.add("script");

const isDark = () => root.dataset.theme
  ? root.dataset.theme === "dark"
  : matchMedia("(prefers-color-scheme: dark)").matches;

const narrow = matchMedia("(max-width: 60rem)");
const left = new Map();
let focused = "";

function prepare(part) {
  for (const each of part.querySelectorAll("[data-copy], [data-theme-switch], [data-keys]")) each.hidden = false;
  for (const each of part.querySelectorAll("details[data-open-wide], details[id]")) {
    const isOpen = left.get(each.id) ?? (each.open && !(narrow.matches && "openWide" in each.dataset));
    if (each.open !== isOpen) each.open = isOpen;
  }
}

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  const label = button.querySelector("span");
  try {
    await navigator.clipboard.writeText(code.textContent);
    label.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    label.textContent = "Selected";
  }
  setTimeout(() => { label.textContent = "Copy"; }, 2000);
}

document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button?.matches("[data-copy]")) copy(button);
  if (button?.matches("[data-theme-switch]")) {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* for this page alone */ }
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

function toSearch() {
  const field = document.querySelector("[data-search-key]");
  if (field) { field.focus(); field.select(); } else location.assign("/servers");
}

// The next change, or the one before: from where the focus is, else from the first one or the last.
function toChange(step) {
  const every = [...document.querySelectorAll("[data-change]")];
  const at = every.indexOf(document.activeElement.closest("[data-change]"));
  const next = at < 0 ? (step > 0 ? 0 : every.length - 1) : at + step;
  every[Math.min(Math.max(next, 0), every.length - 1)]?.focus();
}

const keys = { "/": toSearch, j: () => toChange(1), k: () => toChange(-1) };

document.addEventListener("keydown", event => {
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  }
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});

// What is put in place of something leaves open what was open, and the focus where it was.
document.addEventListener("htmx:before:swap", () => {
  for (const each of document.querySelectorAll("details[id]")) left.set(each.id, each.open);
  focused = document.activeElement?.id;
});
document.addEventListener("htmx:after:swap", event => {
  prepare(event.target ?? document);
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
});
narrow.addEventListener("change", () => {
  for (const each of document.querySelectorAll("details[data-open-wide]")) each.open = !narrow.matches;
});
prepare(document);
const nav = document.querySelector(".nav"), here = nav?.querySelector("[aria-current]");
if (here) nav.scrollLeft = here.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2;
