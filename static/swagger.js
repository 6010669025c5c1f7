// Swagger UI has dark colours, but only its own top bar, which this page does without, chooses them.
"use strict";

const dark = matchMedia("screen and (prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
