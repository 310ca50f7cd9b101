// Behind the scenes: tricks to play on the next push.

import { get } from "./door.js";
import { $, el, fill, option } from "./dom.js";
import { t, trick } from "./words.js";

export const FORGED = ["unsigned", "wrong_token", "wrong_key", "wrong_appid", "plaintext"];

let known = { mischief: [], noise: [] };

/** Learn which tricks the sandbox knows, and offer them. */
export async function learnTricks() {
  known = await get("tricks");
  offerTricks();
}

/** Offer the tricks in the language of the page. */
export function offerTricks() {
  const fair = known.mischief.filter((name) => !FORGED.includes(name));
  const forged = known.mischief.filter((name) => FORGED.includes(name));
  fill($("mischief"), [option(["", t("asUsual")]), group("onItsWay", fair), group("forged", forged)]);
  fill($("noise"), known.noise.map((name) => option([name, sentence(name)])));
  showArmed();
}

const group = (label, names) => el("optgroup", { label: t(label) }, ...names.map((name) => option([name, sentence(name)])));

const sentence = (name) => trick(name).filter(Boolean).join(" · ");

/** Say on the phone what is going to happen to the next push. */
export function showArmed() {
  const name = $("mischief").value;
  $("armed").hidden = !name;
  $("armed-text").textContent = name ? t("armed", { name: trick(name)[0] }) : "";
}

/** Let the next push be as usual. */
export function disarm() {
  $("mischief").value = "";
  showArmed();
}

/** Return the trick for the next push and put the choice back; undefined for none. */
export function takeMischief() {
  const chosen = $("mischief").value;
  disarm();
  return chosen || undefined;
}
