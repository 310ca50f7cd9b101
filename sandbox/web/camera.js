// The camera: the QR codes that can be scanned, one of them in the middle of the view.

import { $, changed, el } from "./dom.js";
import { clock, language, t } from "./words.js";

let items = new Map();

/**
 * Show QR codes. `names`: account names by appid. `aimed`: the id of the QR code that the visitor opened, or null.
 * `choice`: the QR codes found in a picture, or null. `scan` is called with the id of the chosen QR code.
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
  const name = names.get(code.appid) ?? code.appid;
  const times = { time: clock(code.created_at), name };
  const until = code.expires_at === null ? t("forever") : t("until", { time: clock(code.expires_at) });
  return el(
    "button",
    {
      type: "button", onclick: () => scan(code.id), "aria-label": t("code", times),
      "data-testid": "code-item", "data-code": code.id, "data-scene": code.scene,
    },
    el("span", { className: "finder" }, el("img", { src: image(code), alt: "" })),
    el(
      "span", { className: "about" },
      el("strong", { textContent: name }),
      el("span", { textContent: `${times.time} · ${until}` }),
      el("span", { className: "scene", textContent: code.scene }),
    ),
    el("span", { className: "go", textContent: t("scan") }),
  );
}

const image = (code) => `/cgi-bin/showqrcode?ticket=${encodeURIComponent(code.ticket)}`;
