/**
 * Keeps web pages away from a service that asks for no key: a page can make a browser send requests
 * to localhost, under its own name by DNS rebinding (`Host`) or across origins (`Origin`).
 */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/** Of a `host` or `host:port`. */
export const isLoopbackHost = (host: string): boolean =>
  LOOPBACK.test(host.replace(/:\d+$/, "")) || host === "::1";

/** Why the request is refused, or `undefined`. */
export function refusal(headers: Readonly<Record<string, string>>): string | undefined {
  if (!isLoopbackHost(headers["host"] ?? ""))
    return "Forbidden: without an API key, the Host header has to be localhost.";
  const { origin } = headers;
  if (origin !== undefined && !isLoopbackOrigin(origin))
    return "Forbidden: without an API key, requests from web pages of other origins are refused.";
  return undefined;
}

/** `null` (a sandboxed page, a file) is foreign. */
function isLoopbackOrigin(origin: string): boolean {
  const host = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
  return host !== undefined && isLoopbackHost(host);
}
