// Pictures of codes: pasted or dropped anywhere on the page, chosen, or taken with a real camera.

import { $ } from "./dom.js";
import { look } from "./door.js";

const READABLE = ["image/png", "image/jpeg", "image/webp"];
const LARGEST = 8 * 1024 * 1024;
const ENOUGH = 3000; // pixels along the longer side are plenty to read a code

/** Return the picture as the sandbox takes it: another kind of image, or a huge one, is drawn anew and smaller. */
async function prepared(file) {
  if (READABLE.includes(file.type) && file.size <= LARGEST) return file;
  const image = await createImageBitmap(file).catch(() => null);
  if (!image) return new Blob([file], { type: READABLE[0] }); // no image after all: the sandbox says so
  const scale = Math.min(1, ENOUGH / Math.max(image.width, image.height));
  const canvas = Object.assign(document.createElement("canvas"), {
    width: Math.round(image.width * scale), height: Math.round(image.height * scale),
  });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", 0.92); });
}

const holdsFiles = (transfer) => [...(transfer?.types ?? [])].includes("Files");

/**
 * Listen for pictures and for pasted addresses of codes. `found` is called with a picture's code, `several` with the
 * codes when there are more, `failed` with what went wrong, `begun` before each, `text` with a pasted address.
 */
export function watchPictures({ begun, found, several, failed, text }) {
  async function read(file) {
    begun();
    try {
      found((await look(await prepared(file))).code);
    } catch (error) {
      if (error.answer?.codes) several(error.answer.codes);
      else failed(error);
    }
  }

  function take(event, transfer) {
    const file = transfer?.files?.[0];
    const words = transfer?.getData("text/plain") ?? "";
    if (!file && !/\/q\/02[0-9A-Za-z]+/.test(words)) return;
    event.preventDefault();
    if (file) read(file);
    else text(words);
  }

  $("choose").addEventListener("click", () => $("picture").click());
  $("picture").addEventListener("change", () => {
    const [file] = $("picture").files;
    $("picture").value = ""; // the same file may be chosen again
    if (file) read(file);
  });
  document.addEventListener("paste", (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (!typing || holdsFiles(event.clipboardData)) take(event, event.clipboardData);
  });
  watchDrops(take);
}

function watchDrops(take) {
  const hide = () => { $("drop").hidden = true; };
  document.addEventListener("dragover", (event) => {
    event.preventDefault(); // else the browser leaves this page for the file
    $("drop").hidden = !holdsFiles(event.dataTransfer);
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) hide(); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    hide();
    take(event, event.dataTransfer);
  });
}
