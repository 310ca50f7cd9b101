// The camera: the QR codes that can be scanned, one of them in the middle of the view.
//
// A code of an Official Account comes from GET codes, the login of a website from GET consents, and a code of a mini
// program from GET mini_program_codes.

import { $, changed, el } from "./dom.js";
import { clock, language, t } from "./words.js";

let items = new Map();

/** Return the id of the QR code with this address, null if it is another address. */
export const codeIn = (address) => address.match(/\/(?:q\/(?=02)|r\/(?=gh_))(\w+)/)?.[1] ?? null;

/** Return the id of the website's login with this address, null if it is another address. */
export const loginIn = (address) => address.match(/\/connect\/confirm\?uuid=([\w-]+)/)?.[1] ?? null;

/** Return the id of the mini program's code with this address, null if it is another address. */
export const programCodeIn = (address) => address.match(/\/m\/([0-9a-f]{24})/)?.[1] ?? null;

/**
 * Show QR codes. `names`: account names by appid. `aimed`: the id of the QR code that the visitor opened, or null.
 * `choice`: the QR codes found in a picture, or null. `scan` is called with the chosen one.
 */
export function showCodes(codes, { names, aimed, choice, scan }) {
  if (!changed("codes", [codes, [...names], aimed, choice, language()])) return;
  const inView = choice ?? arranged(codes, aimed);
  $("sight").textContent = t(sight(inView, { aimed, choice }));
  $("nothing").hidden = inView.length > 0;
  items = new Map(inView.map((code) => {
    const key = JSON.stringify([code.id, names.get(code.appid), language()]);
    return [key, items.get(key) ?? el("li", {}, item(code, names, scan))];
  }));
  arrange($("codes"), [...items.values()]);
}

/** Give `list` these nodes in this order. Nodes that stay are not moved, because a user may be pressing one. */
function arrange(list, nodes) {
  for (const node of [...list.children]) if (!nodes.includes(node)) node.remove();
  nodes.forEach((node, at) => { if (list.children[at] !== node) list.insertBefore(node, list.children[at] ?? null); });
}

function arranged(codes, aimed) {
  return [...codes.filter((code) => code.id === aimed), ...codes.filter((code) => code.id !== aimed)];
}

function sight(inView, { aimed, choice }) {
  if (choice) return "several";
  if (aimed && inView[0]?.id !== aimed) return "stale";
  if (aimed) return "aimed";
  return inView.length > 0 ? "oneCode" : "nothing";
}

function item(code, names, scan) {
  const name = code.name ?? names.get(code.appid);
  const own = code.scene === "";
  const about = own ? t("ownCode") : code.scene ?? t("websiteLogin");
  const times = { time: own ? null : clock(code.created_at), name };
  const until = (code.expires_at ?? null) === null ? t("forever") : t("until", { time: clock(code.expires_at) });
  return el(
    "button",
    {
      type: "button", onclick: () => scan(code), "aria-label": t(own ? "scanOwnCode" : "code", times),
      "data-testid": "code-item", "data-code": code.id, "data-scene": about,
    },
    el("span", { className: "finder" }, el("img", { src: image(code), alt: "" })),
    el(
      "span", { className: "about" },
      el("strong", { textContent: name }),
      el("span", { textContent: [times.time, until].filter(Boolean).join(" · ") }),
      el("span", { className: "scene", textContent: about }),
    ),
    el("span", { className: "go", textContent: t("scan") }),
  );
}

function image({ id, ticket, page }) {
  if (page) return `/m/${id}.png`;
  if (id.startsWith("gh_")) return `/r/${id}.png`;
  return ticket ? `/cgi-bin/showqrcode?ticket=${encodeURIComponent(ticket)}` : `/connect/qrcode/${id}`;
}
