/** The text of `/openapi.json`. Apart from the face, so that only the function that serves it carries it. */
import document from "../../docs/openapi.json" with { type: "json" };

export const OPENAPI = JSON.stringify(document);
