// Behind the scenes: tricks to play on the next push, and the log of pushes.

import { get } from "./door.js";
import { $, changed, el, fill } from "./dom.js";

/** Offer the tricks the sandbox knows. */
export async function offerTricks() {
  const { mischief, noise } = await get("tricks");
  fill($("mischief"), [["", "as usual 正常"], ...mischief.map((name) => [name, name.replaceAll("_", " ")])]);
  fill($("noise"), noise.map((name) => [name, name.replaceAll("_", " ")]));
}

/** Return the trick for the next push and put the choice back; undefined for none. */
export function takeMischief() {
  const chosen = $("mischief").value;
  $("mischief").value = "";
  return chosen || undefined;
}

/** Show the newest pushes of a user. */
export function showLog(deliveries) {
  const newest = deliveries.slice(0, 30);
  if (changed("log", newest)) $("log").replaceChildren(...newest.map(entry));
}

function entry(delivery) {
  const title = [`#${delivery.id}`, delivery.event, delivery.mischief, delivery.state].filter(Boolean).join(" · ");
  const answers = delivery.attempts.map((tried) =>
    el("pre", { textContent: tried.flaw ?? `${tried.status} ${tried.reply ?? tried.body}` }),
  );
  return el(
    "li", { "data-testid": "log-entry", "data-state": delivery.state },
    el("strong", { textContent: title }),
    el("pre", { textContent: delivery.sent }),
    ...answers,
    ...(delivery.flaw ? [el("span", { className: "flaw", textContent: delivery.flaw })] : []),
  );
}
