// What a change did, in words and as highlights: the counterpart of `amounts`, `cards` and `changes` of `ablation.show.explorer`
// for pairs of designs, of which there are too many for a table.
"use strict";

const SAME = "unchanged";

// The smallest count written in each unit, its divisor and its letter.
const UNITS = {
  params: [[1e12, 1e12, " T"], [1e9, 1e9, " G"], [95e3, 1e6, " M"], [0, 1, ""]],
  macs: [[1e12, 1e12, " T"], [95e6, 1e9, " G"], [95e3, 1e6, " M"], [0, 1, ""]],
};
const MANY = 10_000; // percent, from which the factor is easier to read

function fixed(number, digits) {
  return number.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    roundingMode: "halfEven",
  });
}

function percent(before, after) {
  if (before === after || !before) return "±0 %";
  const share = 100 * Math.abs(after / before - 1);
  if (share >= MANY) return `${fixed(after / before, 0)} times`;
  const sign = after > before ? "+" : "−";
  if (share < 0.005) return `${sign}<0.01 %`;
  return `${sign}${fixed(share, share >= 1 ? 0 : share >= 0.1 ? 1 : 2)} %`;
}

function changedCount(before, after, kind) {
  if (before === after) return SAME;
  const [, divisor, letter] = UNITS[kind].find(([least]) => Math.max(before, after) >= least);
  const [first, second] = [before, after].map((number) =>
    fixed(number / divisor, letter && number < 1000 * divisor ? 2 : 0)
  );
  return `${first} → ${second}${letter} (${percent(before, after)})`;
}

function changedField(before, after) {
  if (before === after) return SAME;
  if (!before || !after) return `before: ${before ? `${before.toLocaleString("en-US")} px` : "whole image"}`;
  return `${before.toLocaleString("en-US")} → ${after.toLocaleString("en-US")} px (${percent(before, after)})`;
}

function changedAccuracy(before, after) {
  if (before === null) return "";
  if (after === null) return `before: ${before.toFixed(2)} %`;
  const difference = after - before;
  const size = Math.abs(difference).toFixed(2);
  const sign = Number(size) === 0 ? "±" : difference > 0 ? "+" : "−";
  return `${before.toFixed(2)} → ${after.toFixed(2)} % (${sign}${size})`;
}

/** Returns the text of each card's change; "" for each without a design before. */
function changeTexts(before, after) {
  if (!before || before.address === after.address) return ["", "", "", ""];
  const [old, now] = [before.numbers, after.numbers];
  return [
    changedCount(old[0], now[0], "params"),
    changedCount(old[1], now[1], "macs"),
    changedField(old[2], now[2]),
    changedAccuracy(old[3], now[3]),
  ];
}

/** Writes into each card what the change did. */
function fillCards(cards, before, after) {
  const texts = changeTexts(before, after);
  cards.querySelectorAll(".ax-change").forEach((place, index) => {
    place.textContent = texts[index] || "\u00a0";
    place.closest(".ax-card").classList.toggle("ax-changed", !["", SAME].includes(texts[index]));
  });
}

/** Replaces the content of an element where it differs, and marks the parts (`data-part`) that do. */
function replaceAndMark(element, html, mark) {
  const old = new Map([...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part.innerHTML]));
  const template = document.createElement("template");
  template.innerHTML = html;
  keepEqual(element, template.content);
  for (const part of element.querySelectorAll("[data-part]")) {
    part.classList.toggle("ax-changed", mark && old.get(part.dataset.part) !== part.innerHTML);
  }
}

/** Makes the children of an element equal to others; children that are equal already stay, and need no new layout. */
function keepEqual(element, wanted) {
  const [old, now] = [[...element.childNodes], [...wanted.childNodes]];
  if (old.length !== now.length) {
    element.replaceChildren(...now);
    return;
  }
  now.forEach((child, index) => {
    const before = old[index];
    if (before.isEqualNode(child)) return;
    if (before.nodeType === Node.ELEMENT_NODE && before.cloneNode().isEqualNode(child.cloneNode())) keepEqual(before, child);
    else before.replaceWith(child);
  });
}
