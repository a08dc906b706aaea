"use strict";
const ORDER = `order of ${location.pathname}`;
const table = document.querySelector(".students");
const heads = [...table.tHead.rows[0].cells];
const body = table.tBodies[0];
const inOrderOfRoster = [...body.rows];
const words = new Intl.Collator(undefined, { numeric: true });

function value(row, column) {
  const cell = row.cells[column];
  const text = cell.textContent.trim();
  return cell.classList.contains("number") ? parseFloat(text) : text;
}

function compare(one, other) {
  return typeof one === "number" ? one - other : words.compare(one, other);
}

// Rows without a value stay at the end, whichever way the others go.
function sort(column, direction) {
  const filled = inOrderOfRoster.filter((row) => value(row, column) || value(row, column) === 0);
  const empty = inOrderOfRoster.filter((row) => !filled.includes(row));
  const sign = direction === "descending" ? -1 : 1;
  filled.sort((one, other) => sign * compare(value(one, column), value(other, column)));
  body.append(...filled, ...empty);
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", direction);
}

heads.forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    sort(column, direction);
    sessionStorage.setItem(ORDER, JSON.stringify({ column, direction }));
  });
});

// The page refreshes itself while the class is graded, and stays in the order that was chosen.
const { column, direction } = JSON.parse(sessionStorage.getItem(ORDER)) ?? {};
if (column < heads.length) sort(column, direction);
