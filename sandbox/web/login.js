// The page of a website's login: shows how far the login is, and goes back to the site when it was allowed.

const POLL_INTERVAL = 400; // ms
const TIMEOUT = 10_000; // ms
const OPEN = [408, 404]; // waiting, scanned

const { consent, target } = document.querySelector("main").dataset;

async function poll() {
  const answer = await fetch(`/connect/l/qrconnect?uuid=${consent}`, { signal: AbortSignal.timeout(TIMEOUT) });
  const { wx_errcode: state, address } = await answer.json();
  for (const text of document.querySelectorAll("[data-state]")) text.hidden = text.dataset.state !== String(state);
  if (address) (target === "self" ? window : window.top).location.href = address;
  return OPEN.includes(state);
}

async function follow() {
  while (await poll().catch(() => true)) await new Promise((resolve) => { setTimeout(resolve, POLL_INTERVAL); });
}

follow();
