"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const NONE = "–";

const find = (selector) => document.querySelector(selector);

// Text of users is only inserted as text nodes, never as markup.
function make(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return dress(element, attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function choice(legend, name, options, chosen, choose) {
  const labels = options.map(([value, text]) => {
    const input = make("input", { type: "radio", name, value, change: () => choose(value) });
    input.checked = value === chosen;
    return make("label", {}, input, text);
  });
  return make("fieldset", { class: "choice" }, make("legend", {}, legend), ...labels);
}

function selection(text, options, chosen, choose) {
  const items = options.map(([value, label]) => make("option", { value }, label));
  const select = make("select", { change: () => choose(select.value) }, ...items);
  select.value = chosen;
  return make("label", {}, text, select);
}

function signed(value) {
  const text = Math.abs(value).toFixed(1);
  return text === "0.0" ? "0.0" : `${value < 0 ? "−" : "+"}${text}`;
}
