// The sandbox's control door (sandbox/control.py).

const BASE = "/sandbox/api/";

async function ask(name, options) {
  const answer = await fetch(BASE + name, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ?? `HTTP ${answer.status}`);
  return body;
}

export const get = (name, params = {}) => ask(`${name}?${new URLSearchParams(params)}`);

export const post = (name, body) =>
  ask(name, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
