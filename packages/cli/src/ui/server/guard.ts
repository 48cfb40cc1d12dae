/**
 * Whom the server answers. It has no password, so a page of another site must not read it through the user's browser:
 * such a page can make its own name mean 127.0.0.1 (DNS rebinding), but the browser still sends that name as Host.
 */
import type { IncomingMessage } from "node:http";
import { hostname } from "node:os";

/** Names of this machine for itself. Any port: a tunnel (ssh -L) keeps the name and changes the port. */
const LOCAL = ["localhost", "127.0.0.1", "[::1]"];

/** The name in a Host header, in lower case and without port; undefined where it is none. */
function nameOf(host: string | undefined): string | undefined {
  return /^(\[[\da-f:.]+\]|[a-z\d._-]+)(?::\d{1,5})?$/i.exec(host ?? "")?.[1].toLowerCase();
}

/** An address as it stands in a URL. */
export const inUrl = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** Whether a request names this server: a name of the machine itself, the host it listens on, or the address it came to. */
export function isOurs(request: Pick<IncomingMessage, "headers" | "socket">, listening: string): boolean {
  const name = nameOf(request.headers.host);
  if (name === undefined) return false;
  if (LOCAL.includes(name) || name === inUrl(listening).toLowerCase()) return true;
  // on all interfaces it has many names: this machine's, and the address that the request came to
  const isOpen = listening === "0.0.0.0" || listening === "::";
  const address = (request.socket.localAddress ?? "").replace(/^::ffff:/, "");
  return isOpen && (name === hostname().toLowerCase() || name === inUrl(address));
}

/** Sent with every answer: nothing from elsewhere runs or is loaded, and nobody else may show or read it. */
export const headers: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};
