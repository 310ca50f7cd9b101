// Choosing the user of the phone, and creating users.

import { post } from "./api.js";
import { $, changed, face, fill, option } from "./dom.js";
import { isOpen, layer } from "./layers.js";
import { grouped } from "./sms.js";
import { language } from "./words.js";

const NICKNAMES = ["小林 Lin", "Anna", "小雨 Yu", "Ben", "阿杰 Jay", "Mia", "老王 Wang", "Leo"];

/** Return the id of the user that this browser chose last; empty if there is none. */
export function remembered() {
  try {
    return localStorage.getItem("user") ?? "";
  } catch {
    return ""; // some private windows forbid storage
  }
}

export function remember(user) {
  try {
    localStorage.setItem("user", user);
  } catch {
    // the choice is then lost when the page closes
  }
}

/** List the users, and select `user`, the owner of this phone, with their number; undefined if there is none yet. */
export function showOwners(users, user) {
  if (!changed("owners", [users, user?.id])) return;
  const placeholder = user ? [] : [option(["", "–"])];
  fill($("user"), [...placeholder, ...users.map((one) => option([one.id, one.nickname]))], user?.id ?? "");
  $("user").disabled = users.length === 0;
  face($("owner-face"), user?.nickname ?? "?", user?.id ?? "");
  $("own-number").textContent = user ? grouped(user.phone_number) : "";
}

/**
 * Open the dialog for a new user. `count`: how many users exist. `byCode`: the visitor opened a QR code, so ask only
 * for the nickname. `first`: the page has no user yet, so the dialog cannot be cancelled.
 */
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

/** Create a user from the form, and return it. A unionid is theirs in the Open Platform account of `account`. */
export function createUser(account) {
  const fields = { nickname: $("nickname").value, language: $("language").value, account };
  if ($("unionid").value) fields.unionid = $("unionid").value;
  return post("users", fields);
}
