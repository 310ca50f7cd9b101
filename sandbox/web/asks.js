// What the phone asks above the chat: whether to log in at a website.

import { $ } from "./dom.js";
import { layer } from "./layers.js";

let login = null;

/** Ask whether to allow the login; `consent` is the answer of POST scan_consent. */
export function askLogin(consent) {
  login = consent.id;
  $("consent-name").textContent = consent.name;
  layer("consent", true);
  $("allow").focus();
}

/** End the question, and return the id of its consent. */
export function closeLogin() {
  layer("consent", false);
  $("open").focus();
  return login;
}
