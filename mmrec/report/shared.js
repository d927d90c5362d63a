"use strict";
const DATA = JSON.parse(document.getElementById("page-data").textContent);
// In the order of the file, which sorting the table leaves behind.
const ROWS = [...document.querySelectorAll("#items tbody tr")];

function element(kind, text, name) {
  const made = document.createElement(kind);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

/* A picture by its place in the data, or words in its stead. */
function pictureOf(place, words) {
  if (place === undefined || place < 0) return element("span", "no picture", "nopicture");
  const made = element("img");
  made.src = DATA.pictures[place];
  made.alt = words;
  return made;
}

const told = number => number.toLocaleString("en");
