// SMS: the newest to the user's phone as a notification, all to that phone in a list, and all of them among the tools.

import { $, changed, el, icon } from "./dom.js";
import { clock, language, moment, t } from "./words.js";

const NOTICE_DURATION = 300; // seconds

let dismissed = 0; // the id of the newest message that the visitor has dismissed

/** Return a phone number in the groups in which people read it. */
export const grouped = (number) => number.replace(/^(\d{3})(\d{4})(\d{4})$/, "$1 $2 $3");

/** Show `messages`, newest first, of which those to `number` are this phone's. */
export function showSms(messages, number) {
  const own = messages.filter((message) => message.number === number);
  notify(own[0]);
  if (!changed("sms", [messages, number, language()])) return;
  $("sms").hidden = own.length === 0;
  $("sms-count").textContent = own.length;
  $("sms-list").replaceChildren(...own.map((message) => line(message, moment(message.at))));
  $("sms-log").replaceChildren(...messages.map((message) => line(message, clock(message.at), grouped(message.number))));
  $("no-sms").hidden = messages.length > 0;
}

function notify(message) {
  const isNew = message && message.id > dismissed && Date.now() / 1000 - message.at < NOTICE_DURATION;
  if (!changed("sms-notice", [isNew ? message : null, language()])) return;
  $("sms-notice").replaceChildren(...(isNew ? notice(message) : []));
}

function notice(message) {
  const dismiss = () => {
    dismissed = message.id;
    notify(message);
    $("open").focus();
  };
  const close = el("button", { className: "bare", type: "button", onclick: dismiss, "aria-label": t("dismiss"), "data-testid": "sms-dismiss" }, icon("cross"));
  return [el("p", {}, el("strong", { textContent: t("sms") }), el("span", { textContent: message.text })), close];
}

const line = (message, time, number = "") =>
  el(
    "li",
    { "data-testid": "sms-line" },
    el("header", {}, el("strong", { textContent: number }), el("span", { className: "meta", textContent: time })),
    el("p", { textContent: message.text }),
  );
