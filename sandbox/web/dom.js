// Elements are built, never parsed: text from the network only ever becomes text.

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

const seen = new Map();

/** Say whether `value` differs from what was last shown under `name`: what has not changed is left alone. */
export function changed(name, value) {
  const text = JSON.stringify(value);
  if (seen.get(name) === text) return false;
  seen.set(name, text);
  return true;
}

/** Fill a select with [value, label] pairs, keeping the choice where it still exists. */
export function fill(select, pairs, chosen = select.value) {
  select.replaceChildren(...pairs.map(([value, label]) => el("option", { value, textContent: label })));
  if (pairs.some(([value]) => value === chosen)) select.value = chosen;
}

export const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
