// Draws a template of a mini program: the elements, attributes and expressions that examples/miniprogram uses.
//
// An expression is a name with dots, optionally compared with a string: `{{asked.site}}`, `{{state === 'idle'}}`.

import { el } from "./dom.js";

const TAGS = { view: "div", text: "span", block: "div", form: "form", button: "button", input: "input" };
const EVENTS = { bindtap: "click", bindinput: "input", bindsubmit: "submit" };
const EXPRESSION = /\{\{\s*([\w.]+)(?:\s*===\s*'([^']*)')?\s*\}\}/g;

/** Return the template's elements with values of `data`. `call` runs a method of the page with an event. */
export function render(template, data, call) {
  const source = `<page xmlns:wx="wx">${template}</page>`;
  const parsed = new DOMParser().parseFromString(source, "application/xml");
  const broken = parsed.querySelector("parsererror");
  if (broken) throw new Error(broken.textContent);
  return el("page", {}, ...children(parsed.documentElement, data, call));
}

const children = (node, data, call) => [...node.childNodes].flatMap((child) => drawn(child, data, call));

function drawn(node, data, call) {
  if (node.nodeType === Node.TEXT_NODE) return node.data.trim() ? [filled(node.data.trim(), data)] : [];
  if (node.nodeType !== Node.ELEMENT_NODE) return [];
  const condition = node.getAttribute("wx:if");
  if (condition && !value(condition, data)) return [];
  const list = node.getAttribute("wx:for");
  if (!list) return [element(node, data, call)];
  return value(list, data).map((item, index) => element(node, { ...data, item, index }, call));
}

function element(node, data, call) {
  const made = el(TAGS[node.nodeName], {}, ...children(node, data, call));
  if (node.nodeName === "button") made.type = "button";
  for (const { name, value: text } of node.attributes) attribute(made, name, text, data, call);
  return made;
}

function attribute(made, name, text, data, call) {
  if (name.startsWith("wx:")) return;
  if (name in EVENTS) made.addEventListener(EVENTS[name], (event) => { event.preventDefault(); call(text, told(event)); });
  else if (name === "disabled") made.disabled = Boolean(value(text, data));
  else if (name === "type" && made.localName === "button") made.classList.add(text);
  else if (name === "form-type") made.type = text;
  else if (name === "type" && text === "number") made.inputMode = "numeric";
  else made.setAttribute(name, filled(text, data));
}

/** Return the event as a mini program gets it. */
function told(event) {
  const { currentTarget: node } = event;
  const fields = node.localName === "form" ? Object.fromEntries(new FormData(node)) : node.value;
  return { currentTarget: { dataset: { ...node.dataset } }, detail: { value: fields } };
}

/** Return the value of an attribute that is one expression. */
function value(text, data) {
  const [, name, wanted] = [...text.matchAll(EXPRESSION)][0];
  const found = name.split(".").reduce((one, part) => one?.[part], data);
  return wanted === undefined ? found : found === wanted;
}

const filled = (text, data) => text.replace(EXPRESSION, (expression) => value(expression, data) ?? "");
