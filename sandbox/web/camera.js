// What the camera can be pointed at: the codes just shown, the newest first.

import { $, changed, clock, el } from "./dom.js";

/** Show the codes; `aimed` is the id of one to set apart, `scan` is called with the id of the one chosen. */
export function showCodes(codes, names, aimed, scan) {
  if (!changed("codes", [codes, [...names], aimed])) return;
  const first = codes.filter((code) => code.id === aimed);
  const rest = codes.filter((code) => code.id !== aimed);
  $("codes").replaceChildren(...[...first, ...rest].map((code) => el("li", {}, item(code, names, aimed, scan))));
  $("no-codes").hidden = codes.length > 0;
}

function item(code, names, aimed, scan) {
  const until = code.expires_at === null ? "永久 permanent" : `→ ${clock(code.expires_at)}`;
  return el(
    "button",
    {
      type: "button", className: code.id === aimed ? "aimed" : "", onclick: () => scan(code.id),
      "data-testid": "code-item", "data-code": code.id, "data-scene": code.scene,
    },
    el("img", { src: `/cgi-bin/showqrcode?ticket=${encodeURIComponent(code.ticket)}`, alt: "", loading: "lazy" }),
    el(
      "div", {},
      el("strong", { textContent: names.get(code.appid) ?? code.appid }),
      el("span", { textContent: `${clock(code.created_at)} ${until}` }),
      el("span", { textContent: code.scene }),
    ),
  );
}
