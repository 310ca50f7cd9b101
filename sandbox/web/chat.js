// The chat of one user with one account. New messages are appended; elements already shown keep their focus.

import { $, el, face, icon } from "./dom.js";
import { language, moment, t } from "./words.js";

const TIME_GAP = 5 * 60; // seconds between messages after which the time is shown
const NEAR_END = 120; // pixels from the end within which the chat scrolls along with new messages

let shown = { key: "", last: null };
let atEnd = true;

/**
 * Show the chat of `phone` (the answer of GET phone). `tap` is called with the id of a link that sends a text, `visit`
 * with the address of one to a page.
 */
export function showChat(phone, { person, account, tap, visit }) {
  const key = JSON.stringify([phone.user, phone.appid, phone.following, language(), phone.messages[0]?.id]);
  const chat = $("chat");
  if (key !== shown.key) restart(chat, key);
  const fresh = phone.messages.filter((message) => shown.last === null || message.id > shown.last.id);
  if (fresh.length === 0) return;
  const follow = atEnd || fresh.at(-1).side === "person";
  for (const message of fresh) add(chat, message, { person, account, tap, visit, following: phone.following });
  if (follow) chat.scrollTop = chat.scrollHeight;
}

/** Keep the end of the chat in view when its size changes, for example when a keyboard opens. */
export function watchChat() {
  const chat = $("chat");
  chat.addEventListener("scroll", () => { atEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < NEAR_END; });
  new ResizeObserver(() => { if (atEnd) chat.scrollTop = chat.scrollHeight; }).observe(chat);
}

/** Start another chat. Screen readers read out only new messages, not those it begins with. */
function restart(chat, key) {
  shown = { key, last: null };
  atEnd = true;
  chat.setAttribute("aria-live", "off");
  chat.replaceChildren();
  setTimeout(() => chat.setAttribute("aria-live", "polite"), 500);
}

function add(chat, message, scene) {
  const before = shown.last;
  const later = before === null || message.at - before.at >= TIME_GAP;
  if (later) chat.append(el("li", { className: "time" }, el("time", { textContent: moment(message.at) })));
  const follows = !later && before.side === message.side;
  chat.append(message.side === "wechat" ? note(message) : bubble(message, follows, scene));
  shown.last = message;
}

function note(message) {
  const words = el("p", {}, icon("alert"), el("span", { textContent: message.text }));
  return el("li", { className: "wechat", "data-testid": "chat-line", "data-side": "wechat" }, words);
}

function bubble(message, follows, { person, account, ...links }) {
  const own = message.side === "person";
  const who = own ? person : account;
  const avatar = el("span", { className: own ? "face" : "face account", "aria-hidden": "true" });
  const speaker = el("span", { className: "hidden", textContent: `${own ? t("you") : who.name}: ` });
  const pieces = message.pieces.map((part) => piece(part, links));
  return el(
    "li",
    { className: `${message.side}${follows ? " follows" : ""}`, "data-testid": "chat-line", "data-side": message.side },
    face(avatar, who.name, who.id),
    el("div", { className: "bubble" }, speaker, ...pieces),
  );
}

function piece(part, { following, tap, visit }) {
  const link = (words, props) => el("button", { className: "link", type: "button", textContent: words, ...props });
  if (part.href) return link(part.text, { onclick: () => visit(part.href), "data-testid": "chat-page-link" });
  if (!part.says) return document.createTextNode(part.text);
  const how = { disabled: !following, onclick: () => tap(part.id), "data-testid": "chat-link" };
  return link(part.text || part.says, how);
}
