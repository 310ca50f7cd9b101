// The chat of one user with one account.

import { $, changed, clock, el } from "./dom.js";

/** Show the chat; `tap` is called with the id of a link that speaks when tapped. */
export function showChat(phone, tap) {
  if (!changed("chat", [phone.user, phone.appid, phone.following, phone.messages])) return;
  const chat = $("chat");
  chat.replaceChildren(...phone.messages.map((message) => line(message, phone.following, tap)));
  chat.scrollTop = chat.scrollHeight;
}

function line(message, following, tap) {
  const bubble = el("div", { className: "bubble" }, ...message.pieces.map((part) => piece(part, following, tap)));
  const time = el("time", { textContent: clock(message.at) });
  return el("li", { className: message.side, "data-testid": "chat-line", "data-side": message.side }, bubble, time);
}

function piece(part, following, tap) {
  if (part.href) {
    return el("a", {
      className: "link", href: part.href, target: "_blank", rel: "noopener noreferrer",
      textContent: part.text, "data-testid": "chat-page-link",
    });
  }
  if (!part.says) return document.createTextNode(part.text);
  return el("button", {
    className: "link", type: "button", textContent: part.text || part.says, disabled: !following,
    onclick: () => tap(part.id), "data-testid": "chat-link",
  });
}
