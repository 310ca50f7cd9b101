// The push log of one user: pushes and the answers of the service.

import { $, el } from "./dom.js";
import { FORGED } from "./drawer.js";
import { clock, has, language, t, trick } from "./words.js";

const NEWEST = 30;

let entries = new Map();

/**
 * Show the newest pushes, newest first. `names`: account names by appid; one alone is not repeated at each push. An
 * unchanged entry keeps its element, open or closed.
 */
export function showLog(deliveries, names) {
  const newest = deliveries.slice(0, NEWEST);
  const old = entries;
  entries = new Map(newest.map((delivery) => [delivery.id, entry(delivery, account(delivery, names), old.get(delivery.id))]));
  const nodes = [...entries.values()].map((one) => one.node);
  const log = $("log");
  if (nodes.length !== log.children.length || nodes.some((node, at) => node !== log.children[at])) {
    log.replaceChildren(...nodes);
  }
  $("no-log").hidden = nodes.length > 0;
}

const account = ({ appid }, names) => (names.size > 1 ? names.get(appid) : null);

function entry(delivery, account, old) {
  const text = JSON.stringify([delivery, account, language()]);
  if (old?.text === text) return old;
  const node = render(delivery, account);
  node.querySelector("details").open = old?.node.querySelector("details").open ?? false;
  return { text, node };
}

function render(delivery, account) {
  const verdict = verdictOf(delivery);
  return el(
    "li", { "data-testid": "log-entry", "data-state": delivery.state, "data-verdict": verdict },
    el(
      "header", {},
      el("strong", { textContent: title(delivery) }),
      el("span", { className: "badge", textContent: t(isForgeryAccepted(delivery) ? "believed" : delivery.state) }),
    ),
    el("p", { className: "meta", textContent: meta(delivery, account) }),
    ...answers(delivery),
    el("details", {}, el("summary", { textContent: t("raw") }), el("pre", { textContent: delivery.sent, tabIndex: 0 })),
  );
}

/** Whether the service accepted a forged push. */
const isForgeryAccepted = (delivery) => delivery.state === "answered" && FORGED.includes(delivery.mischief);

/** Return `good` or `bad` for the behaviour of the service, `yet` while there is no result. */
function verdictOf(delivery) {
  if (delivery.state === "held" || delivery.state === "waiting") return "yet";
  return delivery.state === "faulty" || isForgeryAccepted(delivery) ? "bad" : "good";
}

function title(delivery) {
  const event = has(delivery.event) ? t(delivery.event) : delivery.event;
  return delivery.text ? `${event} “${delivery.text}”` : event;
}

function meta(delivery, account) {
  const at = delivery.attempts[0]?.at;
  const fault = delivery.mischief ? trick(delivery.mischief)[0] : null;
  return [`#${delivery.id}`, at ? clock(at) : null, account, fault].filter(Boolean).join(" · ");
}

function answers(delivery) {
  if (delivery.attempts.length === 0) return [answer(null, t(delivery.state === "held" ? "heldWhat" : "waitingWhat"), null)];
  return delivery.attempts.map((tried) => answer(tried.status, ...describe(tried, delivery)));
}

function answer(status, words, reply) {
  const quoted = reply === null ? [] : [el("blockquote", { textContent: plain(reply) })];
  return el(
    "div", { className: "answer", "data-testid": "log-answer" },
    el("span", { className: "status", textContent: status ?? "–" }),
    el("div", {}, el("p", { textContent: words }), ...quoted),
  );
}

/** Return [a description of the answer, the text that the chat shows for it or null]. */
function describe(tried, delivery) {
  if (tried.status === null) return [t("mute"), null];
  if (tried.status !== 200) {
    const words = delivery.state === "refused" ? "turnedAway" : "failed";
    return [t(words, { status: problem(tried) }), null];
  }
  if (isForgeryAccepted(delivery)) return [t("taken"), tried.reply];
  if (tried.flaw) return [t("badAnswer", { flaw: tried.flaw }), null];
  return tried.reply === null ? [t("silent"), null] : [t("said"), tried.reply];
}

/** Return the status of an error response, and its problem type if the body has one (RFC 9457). */
function problem({ status, body }) {
  try {
    return `${status} ${JSON.parse(body).type.split("/").at(-1)}`;
  } catch {
    return String(status);
  }
}

/** Return a reply as one line, with its links in brackets. */
const plain = (reply) => reply.replace(/<a [^>]*>([^<]*)<\/a>/g, "[$1]").replace(/\s+/g, " ");
