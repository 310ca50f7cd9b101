// Pictures of QR codes: pasted or dropped anywhere on the page, chosen, or taken with the device's camera.

import { readPicture } from "./api.js";
import { $ } from "./dom.js";

const READABLE = ["image/png", "image/jpeg", "image/webp"];
const LARGEST = 8 * 1024 * 1024;
const MAX_SIDE = 3000; // pixels of the longer side, enough to read a QR code

/** Return the picture in a format and size that the sandbox accepts; convert and shrink it if necessary. */
async function prepared(file) {
  if (READABLE.includes(file.type) && file.size <= LARGEST) return file;
  const image = await createImageBitmap(file).catch(() => null);
  if (!image) return new Blob([file], { type: READABLE[0] }); // not an image: the sandbox returns the error
  const scale = Math.min(1, MAX_SIDE / Math.max(image.width, image.height));
  const canvas = Object.assign(document.createElement("canvas"), {
    width: Math.round(image.width * scale), height: Math.round(image.height * scale),
  });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", 0.92); });
}

const holdsFiles = (transfer) => [...(transfer?.types ?? [])].includes("Files");

/**
 * Listen for pictures and for pasted addresses of QR codes. Calls `begun` before reading a picture, then `found` with
 * what readPicture found, `several` with QR codes if there are more, or `failed` with the error; `text` with a pasted
 * address.
 */
export function watchPictures({ begun, found, several, failed, text }) {
  async function read(file) {
    begun();
    try {
      found(await readPicture(await prepared(file)));
    } catch (error) {
      if (error.answer?.codes) several(error.answer.codes);
      else failed(error);
    }
  }

  function take(event, transfer) {
    const file = transfer?.files?.[0];
    const words = transfer?.getData("text/plain") ?? "";
    if (!file && !/\/q\/02[0-9A-Za-z]+|^https?:|^weixin:/.test(words)) return;
    event.preventDefault();
    if (file) read(file);
    else text(words);
  }

  $("choose").addEventListener("click", () => $("picture").click());
  $("picture").addEventListener("change", () => {
    const [file] = $("picture").files;
    $("picture").value = ""; // so that choosing the same file again fires the event
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
    event.preventDefault(); // or the browser would navigate to the file
    $("drop").hidden = !holdsFiles(event.dataTransfer);
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) hide(); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    hide();
    take(event, event.dataTransfer);
  });
}
