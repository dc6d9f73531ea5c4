// What pages do beyond forms and links; each of them works without.
const root = document.documentElement;
root.classList.add("script");

const isDark = () => root.dataset.theme
  ? root.dataset.theme === "dark"
  : matchMedia("(prefers-color-scheme: dark)").matches;

const hovers = matchMedia("(hover: hover) and (pointer: fine)");
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
  pointer = "";
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  // A slash leads to the search also where one is there already, before anything is typed.
  if (event.key === "/" && event.target.matches?.("[data-search-key]") && !event.target.value) event.preventDefault();
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});

// Nothing is replaced while the pointer is down: the click that follows would meet something else, or nothing.
let pointer = "";
let isPressed = false;
const waiting = [];
document.addEventListener("pointerdown", event => {
  pointer = event.pointerType;
  isPressed = event.button === 0;
}, true);
for (const name of ["pointerup", "pointercancel"]) {
  document.addEventListener(name, () => setTimeout(() => {
    isPressed = false;
    for (const each of waiting.splice(0)) htmx.swap(each);
  }), true);
}

// What is typed into a search is searched for at once: that the field is left is nothing to search for again, and would
// replace what one is about to press.
document.addEventListener("change", event => {
  if (event.target.id === "q") event.stopPropagation();
}, true);

// Fields stay while what is beside them is replaced: what is wrong is said at them too, as long as it is.
function describe(field, id, isWrong) {
  const ids = (field.getAttribute("aria-describedby") ?? "").split(" ").filter(each => each && each !== id);
  if (isWrong) ids.push(id);
  if (ids.length) field.setAttribute("aria-describedby", ids.join(" ")); else field.removeAttribute("aria-describedby");
  if (isWrong) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
}

function mark(form) {
  for (const each of form.querySelectorAll(".wrong")) {
    const field = document.getElementById(each.id.replace("-wrong", ""));
    if (field?.matches("input")) describe(field, each.id, false);
    each.remove();
  }
  for (const said of form.querySelectorAll("[data-wrong]")) {
    const field = document.getElementById(said.dataset.wrong);
    if (!field) continue;
    const text = said.textContent, told = document.createElement("p");
    told.id = `${field.id}-wrong`;
    told.className = "wrong small";
    told.textContent = text[0].toUpperCase() + text.slice(1);
    (field.closest(".field") ?? field.parentElement).append(told);
    if (field.matches("input")) describe(field, told.id, true);
    const part = field.closest("details");
    if (part) part.open = true;
  }
}

function showOutcome(form) {
  const { may } = document.getElementById("outcome").dataset;
  const create = form.querySelector("[data-create]");
  if (create && may) create.hidden = may === "no";
  mark(form);
}

// Whoever points goes on with the next search; whoever does not stays where they were.
function goOnFrom(pick) {
  const search = pointer === "mouse" && document.querySelector("[data-search-key]");
  (search || pick.querySelector("a"))?.focus({ preventScroll: true });
  if (search) search.select();
}

// What was wrong with a field is no more once it is another.
document.addEventListener("input", event => {
  const field = event.target, told = field.id && document.getElementById(`${field.id}-wrong`);
  if (!told || field.closest("#generate")) return;
  describe(field, told.id, false);
  told.remove();
});

// What is put in place of something leaves open what was open, and the focus where it was.
document.addEventListener("htmx:before:swap", event => {
  if (isPressed) {
    event.preventDefault();
    waiting.push(event.detail.ctx);
    return;
  }
  for (const each of document.querySelectorAll("details[id]")) left.set(each.id, each.open);
  focused = document.activeElement?.id;
});
document.addEventListener("htmx:after:swap", event => {
  prepare(event.target ?? document);
  if (event.target?.id === "generate") showOutcome(event.target);
  if (document.activeElement !== document.body) return;
  if (event.target?.matches?.(".pick")) goOnFrom(event.target);
  else if (focused) document.getElementById(focused)?.focus();
});
narrow.addEventListener("change", () => {
  for (const each of document.querySelectorAll("details[data-open-wide]")) each.open = !narrow.matches;
});
prepare(document);
const nav = document.querySelector(".nav"), here = nav?.querySelector("[aria-current]");
if (here) nav.scrollLeft = here.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2;
if (hovers.matches) document.querySelector("[data-search-first]")?.focus({ preventScroll: true });
