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
    dialog.showModal();
  });
}

// On paper everything is open.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
