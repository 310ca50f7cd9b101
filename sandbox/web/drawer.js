// The push tools: faults for the next push, and other pushes to send.

import { get } from "./api.js";
import { $, el, fill, option } from "./dom.js";
import { t, trick } from "./words.js";

export const FORGED = ["unsigned", "wrong_token", "wrong_key", "wrong_appid", "plaintext"];

let known = { mischief: [], noise: [], sns: [] };

/** Load the faults and pushes that the sandbox supports, and list them. */
export async function loadTricks() {
  known = await get("tricks");
  offerTricks();
}

/** List the faults and pushes in the language of the page. */
export function offerTricks() {
  const delivery = known.mischief.filter((name) => !FORGED.includes(name));
  const forged = known.mischief.filter((name) => FORGED.includes(name));
  fill($("mischief"), [option(["", t("asUsual")]), group("onItsWay", delivery), group("forged", forged)]);
  fill($("noise"), known.noise.map((name) => option([name, sentence(name)])));
  fill($("sns"), [option(["", t("asUsual")]), ...known.sns.map((name) => option([name, sentence(name)]))]);
  showArmed();
}

const group = (label, names) => el("optgroup", { label: t(label) }, ...names.map((name) => option([name, sentence(name)])));

const sentence = (name) => trick(name).filter(Boolean).join(" · ");

/** Show on the phone which fault the next push will have. */
export function showArmed() {
  const name = $("mischief").value;
  $("armed").hidden = !name;
  $("armed-text").textContent = name ? t("armed", { name: trick(name)[0] }) : "";
}

/** Remove the fault of the next push. */
export function disarm() {
  $("mischief").value = "";
  showArmed();
}

/** Return the fault for the next push, and reset the choice; undefined for none. */
export function takeFault() {
  const chosen = $("mischief").value;
  disarm();
  return chosen || undefined;
}
