// DOM helpers. They build elements and never parse HTML, so that text from the network stays text.

const SVG = "http://www.w3.org/2000/svg";
const HUES = 6;

export const $ = (id) => document.getElementById(id);

/** Create an element. `props` are set as properties; names with a dash, and `role`, as attributes. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

export function icon(name) {
  const node = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  node.setAttribute("class", "icon");
  node.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `/sandbox/web/icons.svg#${name}`);
  node.append(use);
  return node;
}

/** Draw the avatar of a user or an account: the first letter of the name, on a colour that depends on the id. */
export function face(node, name, id) {
  node.textContent = [...(name.trim() || "?")][0].toUpperCase();
  node.dataset.hue = String([...id].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % HUES);
  return node;
}

const shown = new Map();

/** Return whether `value` differs from the value of the last call for `name`; the page redraws only what changed. */
export function changed(name, value) {
  const text = JSON.stringify(value);
  if (shown.get(name) === text) return false;
  shown.set(name, text);
  return true;
}

export const option = ([value, label]) => el("option", { value, textContent: label });

/** Replace the options of a select, and keep the chosen value if it still exists. */
export function fill(select, nodes, chosen = select.value) {
  select.replaceChildren(...nodes);
  if ([...select.options].some((one) => one.value === chosen)) select.value = chosen;
}
