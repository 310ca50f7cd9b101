// On pages of a sign-in. In a panel: hands the outcome to the page around the frame, if that is one of the site's.
// On a snapshot page: puts the address to open again into the address bar, since the present one works only once.

const { message, origins, again } = document.body.dataset;
if (again) history.replaceState(null, "", again);
if (message) for (const origin of JSON.parse(origins)) parent.postMessage(JSON.parse(message), origin);
