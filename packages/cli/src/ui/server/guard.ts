/**
 * Whom the server answers. It has no password, so a page of another site must not read it through the user's browser:
 * such a page can make its own name mean 127.0.0.1 (DNS rebinding), but the browser still sends that name as Host.
 */
import type { IncomingMessage } from "node:http";
import { hostname, networkInterfaces } from "node:os";

/** Names of this machine for itself. Any port: a tunnel (ssh -L) keeps the name and changes the port. */
const LOCAL = ["localhost", "127.0.0.1", "[::1]"];

/** The name in a Host header, in lower case and without port; undefined where it is none. */
function nameOf(host: string | undefined): string | undefined {
  return /^(\[[\da-f:.]+\]|[a-z\d._-]+)(?::\d{1,5})?$/i.exec(host ?? "")?.[1].toLowerCase();
}

/** An address as it stands in a URL. */
export const inUrl = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** Whether a host to listen on means all interfaces of the machine. */
const isOpen = (listening: string): boolean => listening === "0.0.0.0" || listening === "::";

/** The hosts under which others find a server that listens on `listening`, the likeliest first. */
export function hostsOf(listening: string): string[] {
  if (!isOpen(listening)) return [listening];
  const found = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
  const outside = found.filter(({ family, internal }) => family === "IPv4" && !internal);
  return [...outside.map(({ address }) => address), "127.0.0.1"];
}

/** Names under which a request may ask: of the machine for itself, the host it listens on, or the address it came to. */
function namesOf({ socket }: Pick<IncomingMessage, "socket">, listening: string): string[] {
  const names = [...LOCAL, inUrl(listening).toLowerCase()];
  if (isOpen(listening)) {
    // on all interfaces it has many names: this machine's, that of mDNS too, and the address that the request came to
    const own = hostname().toLowerCase();
    const address = (socket.localAddress ?? "").replace(/^::ffff:/, "");
    names.push(own, `${own.split(".")[0]}.local`, inUrl(address));
  }
  return [...new Set(names)];
}

/** Why a request is not answered; undefined where it is. */
export function refusalOf(
  request: Pick<IncomingMessage, "rawHeaders" | "headers" | "socket">,
  listening: string,
): { readonly status: number; readonly text: string } | undefined {
  const { rawHeaders, headers } = request;
  // Node takes the first of several, and what stands before this server may take another
  const hosts = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === "host");
  if (hosts.length > 1) return { status: 400, text: "there is more than one Host header" };
  if (namesOf(request, listening).includes(nameOf(headers.host) ?? "")) return undefined;
  // no other name of the machine: who asks may be a page of another site
  return {
    status: 403,
    text: "the Host header is no name of this server: ask for localhost, or the address it printed",
  };
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
