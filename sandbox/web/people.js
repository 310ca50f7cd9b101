// Whose phone this is: choosing one, and getting a new one.

import { post } from "./door.js";
import { $, changed, face, fill, option } from "./dom.js";
import { isOpen, layer } from "./layers.js";
import { language } from "./words.js";

const NICKNAMES = ["小林 Lin", "Anna", "小雨 Yu", "Ben", "阿杰 Jay", "Mia", "老王 Wang", "Leo"];

/** Return the id of the user whose phone this browser was; empty when there was none. */
export function remembered() {
  try {
    return localStorage.getItem("user") ?? "";
  } catch {
    return ""; // storage is forbidden in some private windows
  }
}

export function remember(user) {
  try {
    localStorage.setItem("user", user);
  } catch {
    // then the choice lasts as long as the page
  }
}

/** Show who has a phone, and `user`, whose phone this is; undefined when it is nobody's yet. */
export function showOwners(users, user) {
  if (!changed("owners", [users, user?.id])) return;
  const nobody = user ? [] : [option(["", "–"])];
  fill($("user"), [...nobody, ...users.map((one) => option([one.id, one.nickname]))], user?.id ?? "");
  $("user").disabled = users.length === 0;
  face($("owner-face"), user?.nickname ?? "?", user?.id ?? "");
}

/** Ask for a nickname. `count` is how many have one; a visitor who came by a code is asked for nothing else. */
export function askNickname({ count, byCode = false, first }) {
  if (isOpen("newcomer")) return;
  $("nickname").value = NICKNAMES[count % NICKNAMES.length];
  $("language").value = language() === "zh" ? "zh_CN" : "en";
  $("unionid").value = "";
  $("language-field").hidden = $("more").hidden = byCode;
  $("newcomer-why").hidden = !first;
  $("keep").hidden = first;
  layer("newcomer", true);
  $("add").setAttribute("aria-expanded", "true");
  $("nickname").focus();
  $("nickname").select();
}

export function closeNewcomer() {
  layer("newcomer", false);
  $("add").setAttribute("aria-expanded", "false");
}

/** Make the user the form describes, and return it. */
export function createUser() {
  const fields = { nickname: $("nickname").value, language: $("language").value };
  if ($("unionid").value) fields.unionid = $("unionid").value;
  return post("users", fields);
}
