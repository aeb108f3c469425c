/** Writes `docs/openapi.json` and `docs/reference.md` anew. */
import { writeFileSync } from "node:fs";
import { openApiDocument } from "../src/http/openapi.ts";
import { referencePage } from "./reference.ts";

const docs = new URL("../docs/", import.meta.url);
writeFileSync(new URL("openapi.json", docs), `${JSON.stringify(openApiDocument(), null, 2)}\n`);
writeFileSync(new URL("reference.md", docs), await referencePage());
