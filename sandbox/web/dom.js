// Elements are built, never parsed: text from the network only ever becomes text.

const SVG = "http://www.w3.org/2000/svg";
const HUES = 6;

export const $ = (id) => document.getElementById(id);

/** Make an element. `props` are set as properties; those with a dash, and `role`, as attributes. */
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

/** Draw the round face of somebody, or the square one of an account: a letter on a colour of their own. */
export function face(node, name, id) {
  node.textContent = [...(name.trim() || "?")][0].toUpperCase();
  node.dataset.hue = String([...id].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % HUES);
  return node;
}

const seen = new Map();

/** Say whether `value` differs from what was last shown under `name`: what has not changed is left alone. */
export function changed(name, value) {
  const text = JSON.stringify(value);
  if (seen.get(name) === text) return false;
  seen.set(name, text);
  return true;
}

export const option = ([value, label]) => el("option", { value, textContent: label });

/** Fill a select with these nodes, keeping the choice where it still exists. */
export function fill(select, nodes, chosen = select.value) {
  select.replaceChildren(...nodes);
  if ([...select.options].some((one) => one.value === chosen)) select.value = chosen;
}
