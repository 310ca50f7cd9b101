// The mini program that is open on the phone: a frame that runs it (miniprogram.js), under a title bar.

import { $, el } from "./dom.js";
import { isOpen, layer } from "./layers.js";

let frame = null;

/** Run a mini program, the answer of POST open_mini_program, on the phone of `user`. */
export function openProgram(user, { appid, name, page, scene }) {
  const query = new URLSearchParams({ user: user.id, language: user.language, page, scene });
  frame?.remove();
  frame = el("iframe", { src: `/sandbox/mini-program/${appid}/?${query}`, title: name, "data-testid": "program-page" });
  $("program-view").append(frame);
  $("program-name").textContent = name;
  $("program-title").textContent = "";
  layer("program", true);
  $("program-close").focus();
}

export function closeProgram() {
  if (!isOpen("program")) return;
  frame.remove();
  layer("program", false);
  $("open").focus();
}

addEventListener("message", ({ source, data }) => {
  if (!frame || source !== frame.contentWindow || !data?.miniProgram) return;
  if (data.miniProgram.exit) closeProgram();
  else $("program-title").textContent = data.miniProgram.title;
});
