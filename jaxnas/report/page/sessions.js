// The page of sessions: tables to sort, and files to save.
"use strict";

for (const part of document.querySelectorAll("button[data-copy]")) part.hidden = false;
actions.listen(JSON.parse(document.getElementById("data").textContent));
