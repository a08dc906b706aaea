"use strict";
const tip = document.getElementById("tip");
const row = (mark) => document.getElementById(`${mark.closest(".experiment").id}-e${mark.dataset.e}`);

function zoom(plot, factor) {
  const scroller = plot.querySelector(".scroller");
  const drawing = plot.querySelector(".drawing");
  const before = Number(plot.dataset.zoom || 1);
  const after = factor ? Math.min(64, Math.max(1, before * factor)) : 1;
  const centre = (scroller.scrollLeft + scroller.clientWidth / 2) / before;
  plot.dataset.zoom = after;
  drawing.style.width = `${after * 100}%`;
  scroller.scrollLeft = centre * after - scroller.clientWidth / 2;
}

for (const controls of document.querySelectorAll(".zoom")) {
  controls.hidden = false;
  const plot = controls.closest(".experiment").querySelector("[data-plot]");
  controls.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) zoom(plot, Number(button.dataset.zoom));
  });
  plot.addEventListener("keydown", (event) => {
    const factor = { "+": 2, "=": 2, "-": 0.5, "0": 0 }[event.key];
    if (factor === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    zoom(plot, factor);
  });
  plot.addEventListener("mouseover", (event) => {
    const mark = event.target.closest("[data-e], .moment");
    if (!mark) return;
    const title = mark.querySelector("title");
    tip.textContent = title.textContent;
    tip.hidden = false;
    if (mark.dataset.e) row(mark)?.classList.add("lit");
  });
  plot.addEventListener("mousemove", (event) => {
    tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + 18}px`;
  });
  plot.addEventListener("mouseout", (event) => {
    tip.hidden = true;
    const mark = event.target.closest("[data-e]");
    if (mark) row(mark)?.classList.remove("lit");
  });
  plot.addEventListener("click", (event) => {
    const mark = event.target.closest("[data-e]");
    const found = mark && row(mark);
    if (found) location.hash = found.id;
  });
}

// Each event list begins at the first moment that a verdict rests on, unless a link has led elsewhere.
const lists = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    lists.unobserve(target);
    const first = target.querySelector(".cited");
    if (first && !target.querySelector(":target")) target.scrollTop = first.offsetTop - 3 * first.offsetHeight;
  }
});
for (const list of document.querySelectorAll(".events")) lists.observe(list);

let closed = [];
window.addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const one of closed) one.open = true;
});
window.addEventListener("afterprint", () => {
  for (const one of closed) one.open = false;
});
