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

for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => sortBy(button.parentNode));
}

const dialog = document.querySelector("dialog");
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    const [small, large] = [button.querySelector("img"), dialog.querySelector("img")];
    large.src = small.src;
    large.alt = small.alt;
    const link = dialog.querySelector("a");
    link.href = small.src;
    link.download = small.alt.replaceAll(" ", "_") + (small.src.includes("svg") ? ".svg" : ".webp");
    dialog.showModal();
  });
}

// A table as a file of comma-separated values; small lines below a value are cells of their own.
function commaSeparated(table) {
  const quoted = (text) => `"${text.trim().replaceAll('"', '""')}"`;
  const line = (row) => [...row.cells].map((cell) => {
    const parts = [...cell.childNodes].map((node) => node.textContent.trim()).filter(Boolean);
    return quoted(parts.join("; "));
  }).join(",");
  return [...table.rows].map(line).join("\r\n");
}

for (const table of document.querySelectorAll("main > section > .scroll table")) {
  const button = document.createElement("button");
  button.className = "save";
  button.textContent = "CSV";
  button.setAttribute("aria-label", `Save as CSV: ${table.caption.textContent}`);
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = "data:text/csv;charset=utf-8," + encodeURIComponent(commaSeparated(table));
    link.download = `${table.caption.id}.csv`;
    link.click();
  });
  table.closest(".scroll").after(button);
}

// Only the arms whose names have the text stay, in all tables and lists of the study.
for (const field of document.querySelectorAll(".filter")) {
  field.addEventListener("input", () => {
    const study = field.closest("section");
    const wanted = field.value.trim().toLowerCase();
    for (const table of study.querySelectorAll("table")) {
      if (!table.tHead || !table.tHead.rows[0].cells[0].textContent.startsWith("arm")) continue;
      for (const row of table.tBodies[0].rows) {
        row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      }
    }
    for (const run of study.querySelectorAll(".run")) {
      run.hidden = !run.querySelector("summary").textContent.toLowerCase().includes(wanted);
    }
  });
}

// On paper everything is open.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
