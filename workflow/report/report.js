"use strict";

// A click on a column's title sorts by it, a second one the other way, a third one as it was.
function sortBy(header) {
  const body = header.closest("table").tBodies[0];
  const column = header.cellIndex;
  const order = { ascending: "descending", descending: "none" }[header.ariaSort] || "ascending";
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  if (order !== "none") header.setAttribute("aria-sort", order);
  const sign = order === "descending" ? -1 : 1;
  const rows = [...body.rows];
  rows.forEach((row, place) => { row.dataset.place ??= place; });
  rows.sort((a, b) => (order === "none" ? 0 : compare(a.cells[column], b.cells[column], sign))
    || a.dataset.place - b.dataset.place);
  body.append(...rows);
}

// Cells without a number come last, whichever way the others are sorted.
function compare(a, b, sign) {
  const [x, y] = [a.dataset.value, b.dataset.value];
  if (x !== undefined && y !== undefined) return sign * (x - y);
  if (x !== undefined || y !== undefined) return x === undefined ? 1 : -1;
  return sign * a.textContent.localeCompare(b.textContent, "en", { numeric: true });
}

// One stop of the tab key a table: arrows lead on from title to title.
for (const row of document.querySelectorAll("thead tr")) {
  const titles = [...row.querySelectorAll("button")];
  titles.forEach((button, place) => {
    button.tabIndex = place ? -1 : 0;
    button.addEventListener("click", () => sortBy(button.parentNode));
    button.addEventListener("keydown", (event) => {
      const next = titles[place + { ArrowRight: 1, ArrowLeft: -1 }[event.key]];
      next?.focus();
    });
  });
}

const dialog = document.querySelector("dialog");
for (const button of document.querySelectorAll(".enlarge")) {
  const small = button.closest("figure").querySelector("img");
  const open = () => {
    const large = dialog.querySelector("img");
    large.src = small.src;
    large.alt = small.alt;
    const link = dialog.querySelector("a");
    link.href = small.src;
    link.dataset.name = `${button.closest("section").id}-${small.dataset.name}`;
    link.download = link.dataset.name + (small.src.startsWith("data:image/svg") ? ".svg" : ".webp");
    dialog.showModal();
  };
  button.addEventListener("click", open);
  small.addEventListener("click", open);
}

function save(address, name) {
  const link = document.createElement("a");
  [link.href, link.download] = [address, name];
  link.click();
}

dialog.querySelector("[type=button]").addEventListener("click", () => {
  const picture = dialog.querySelector("img");
  const canvas = document.createElement("canvas");
  const larger = Math.max(1, 2400 / picture.naturalWidth); // lines have no size of their own
  [canvas.width, canvas.height] = [picture.naturalWidth * larger, picture.naturalHeight * larger];
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  save(canvas.toDataURL("image/png"), `${dialog.querySelector("a").dataset.name}.png`);
});

// A table as a file of comma-separated values, the small lines below a value in its cell. What a
// spreadsheet would take for a formula gets an apostrophe; numbers do not.
const FORMULA = /^'*[=+\-@\uff1d\uff0b\uff0d\uff20](?!(?<=[+-])(\d+\.?\d*|\.\d+)(e[+-]?\d+)?(; |$))/i;

function commaSeparated(table) {
  const shielded = (text) => (FORMULA.test(text) ? `'${text}` : text);
  const quoted = (text) => `"${shielded(text.trim().replaceAll("\u00a0", " ")).replaceAll('"', '""')}"`;
  const line = (row) => [...row.cells].map((cell) => {
    const parts = [...cell.childNodes].map((node) => node.textContent.trim()).filter(Boolean);
    return quoted(parts.join("; "));
  }).join(",");
  return [...table.rows].map(line).join("\r\n");
}

function saveButton(table) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "save";
  button.textContent = "CSV";
  button.setAttribute("aria-label", `Save as CSV: ${table.caption.textContent}`);
  button.addEventListener("click", () => save(
    "data:text/csv;charset=utf-8," + encodeURIComponent(commaSeparated(table)), `${table.caption.id}.csv`));
  return button;
}

// Which columns of a table are shown: as many as there is room for, unless the reader chooses.
class Columns {
  constructor(table) {
    this.table = table;
    this.titles = [...table.tHead.rows[0].cells];
    this.shown = this.titles.map(() => true);
    this.chosen = false;
    this.choice = document.createElement("details");
    this.choice.className = "choice";
    this.summary = document.createElement("summary");
    const fields = document.createElement("fieldset");
    fields.append(Object.assign(document.createElement("legend"), { textContent: "Columns shown" }));
    this.boxes = this.titles.map((title, column) => {
      const label = document.createElement("label");
      const box = Object.assign(document.createElement("input"), { type: "checkbox", disabled: !column });
      box.addEventListener("change", () => {
        this.chosen = true;
        this.shown[column] = box.checked;
        this.apply();
      });
      label.append(box, ` ${title.textContent.trim()}`);
      fields.append(label);
      return box;
    });
    this.choice.append(this.summary, fields);
    this.fit();
  }

  fit(everything = false) {
    const room = everything ? Infinity : this.table.closest(".scroll").clientWidth;
    if (this.chosen || !room) return;
    this.shown.fill(true);
    this.apply();
    for (let last = this.titles.length - 1; last > 1 && this.table.offsetWidth > room; last -= 1) {
      this.shown[last] = false;
      this.apply();
    }
  }

  apply() {
    for (const row of this.table.rows) {
      [...row.cells].forEach((cell, column) => { cell.hidden = !this.shown[column]; });
    }
    this.boxes.forEach((box, column) => { box.checked = this.shown[column]; });
    const count = this.shown.filter(Boolean).length;
    this.summary.textContent = `${count} of ${this.titles.length} columns shown`;
    this.choice.classList.toggle("fewer", count < this.titles.length);
  }
}

const choices = [];
for (const table of document.querySelectorAll("main .scroll > table")) {
  if (!table.tHead?.querySelector("button") || table.closest(".paper")) continue;
  const below = document.createElement("div");
  below.className = "below";
  const columns = new Columns(table);
  choices.push(columns);
  below.append(columns.choice, saveButton(table));
  table.closest(".scroll").after(below);
}
// What lies in a closed part has no width yet.
document.addEventListener("toggle", (event) => {
  for (const each of choices) if (event.target.contains(each.table)) each.fit();
  reachable();
}, true);
let printing = false;
addEventListener("resize", () => {
  for (const each of choices) each.fit(printing);
  reachable();
});

// What can be scrolled is reached by keyboard, and nothing else is a stop on the way.
function reachable() {
  for (const part of document.querySelectorAll(".scroll")) {
    if (part.scrollWidth > part.clientWidth + 1) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
}
reachable();

const DRAWING = "data:image/svg+xml,";

// Only the arms that are wanted stay, in all tables, lists and pictures of the study.
for (const chooser of document.querySelectorAll(".arms")) {
  const study = chooser.closest("section");
  const boxes = [...chooser.querySelectorAll("[type=checkbox]")];
  const field = chooser.querySelector(".filter");
  let pictures; // with arms in them, read when the first arm is left out
  const show = () => {
    const left = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
    chooser.querySelector("summary").textContent = left.size ? `arms: ${boxes.length - left.size} of ${boxes.length}` : "arms: all";
    const isLeft = (text) => left.has(text.trim().split(/[\s,]/)[0]);
    for (const table of study.querySelectorAll("table")) {
      if (!table.tHead?.rows[0].cells[0].textContent.trim().startsWith("arm")) continue;
      for (const row of table.tBodies[0].rows) row.hidden = isLeft(row.cells[0].firstChild.textContent);
    }
    for (const run of study.querySelectorAll(".run")) run.hidden = isLeft(run.querySelector("summary").textContent);
    pictures ??= [...study.querySelectorAll("figure img")]
      .filter((image) => image.src.includes("arm-"))
      .map((image) => ({ image, source: image.src, drawing: decodeURIComponent(image.src.slice(DRAWING.length)) }));
    for (const { image, source, drawing } of pictures) {
      const faded = drawing.replace(/<g id=["']arm-([^"']*)["']/g, (found, arm) => (left.has(arm) ? `${found} opacity='0.08'` : found));
      image.src = faded === drawing ? source : DRAWING + encodeURIComponent(faded);
    }
  };
  for (const box of boxes) box.addEventListener("change", show);
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const box of boxes) box.checked = box.value.toLowerCase().includes(wanted);
    show();
  });
}

// Headings, arms, pictures and words of the page that hold a text, also those in closed parts.
const finder = document.querySelector(".search input");
const found = document.getElementById("found");
finder.addEventListener("input", () => {
  const wanted = finder.value.trim().toLowerCase();
  const places = wanted.length < 2 ? [] : [...document.querySelectorAll(
    "main :is(h2, h3, h4, dt, caption, figcaption strong, tbody th, summary, dd, p, td)")];
  const words = (place) => [...place.childNodes].map((node) => node.textContent.trim()).join(" ");
  const hits = places.filter((place) => words(place).toLowerCase().includes(wanted));
  const items = hits.slice(0, 30).map((place) => {
    const button = document.createElement("button");
    const at = words(place).toLowerCase().indexOf(wanted);
    const part = place.tagName === "CAPTION" ? "" : place.closest("table")?.caption?.textContent ?? "";
    const where = [place.closest("section")?.id ?? "all studies", part].filter(Boolean).join(", ");
    button.textContent = `${where}: ${at > 40 ? "\u2026" : ""}${words(place).slice(Math.max(0, at - 40), at + 60).trim()}`;
    button.addEventListener("click", () => {
      for (let part = place.closest("details"); part; part = part.parentNode.closest("details")) part.open = true;
      place.scrollIntoView({ block: "center" });
      place.tabIndex = -1;
      place.focus({ preventScroll: true });
      found.hidden = true;
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  if (hits.length > items.length) items.push(Object.assign(document.createElement("li"), { textContent: `and ${hits.length - items.length} more` }));
  if (!items.length) items.push(Object.assign(document.createElement("li"), { textContent: "nothing found" }));
  found.replaceChildren(...items);
  found.hidden = wanted.length < 2;
});
finder.closest("div").addEventListener("keydown", (event) => {
  if (event.key === "Escape") found.hidden = true;
});

// The menu of a study says where the reader is.
const links = [...document.querySelectorAll(".parts a")]
  .map((link) => [link, document.getElementById(link.hash.slice(1))]);
function follow() {
  const current = links.findLast(([, heading]) => heading.getBoundingClientRect().top < innerHeight / 3)?.[0];
  for (const [link] of links) {
    if (link === current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}
let waiting = false;
addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; follow(); });
}, { passive: true });

// On paper the cards are open and tables have all columns; long lists stay as the reader left them.
addEventListener("beforeprint", () => {
  printing = true;
  for (const details of document.querySelectorAll(".paper")) details.open = true;
  for (const picture of document.images) picture.loading = "eager";
  for (const each of choices) each.fit(true);
});
addEventListener("afterprint", () => {
  printing = false;
  for (const each of choices) each.fit();
});
