// Pages of text: only their words.

import { setUpLanguage } from "./i18n.js";

await setUpLanguage();
document.body.dataset.ready = "true";
