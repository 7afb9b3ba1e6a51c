import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { AutokestraError } from "@autokestra/secrets-core";
import type { FastifyRequest } from "fastify";

/** The names under which a server on this machine is always reached. */
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];

const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::\d{1,5})?$/;

/**
 * Tells which `Host` headers are ours. A page of somebody else can give its own name the address of this machine (DNS rebinding): its
 * requests arrive with that name.
 *
 * @param host that the server listens on
 * @param names other names of the server
 */
export function createHostCheck(host: string, names: readonly string[]): (header: string) => boolean {
  const known = new Set([...LOOPBACK_NAMES, toHostName(host), ...names.map(toHostName)]);
  return (header) => {
    const name = HOST.exec(header.toLowerCase())?.[1];
    return name !== undefined && known.has(name);
  };
}

/**
 * Refuses requests that are for others.
 *
 * @param isOurHost as of {@link createHostCheck}
 * @param isProxy whether an address is that of a proxy in front of the server; null where there is none
 * @throws AutokestraError `HOST_UNKNOWN`, from the function that is returned
 */
export function createHostGuard(
  isOurHost: (header: string) => boolean,
  isProxy: ((address: string) => boolean) | null,
): (request: FastifyRequest) => void {
  return ({ raw, socket, host }) => {
    if (isProxy !== null && !isProxy(socket.remoteAddress ?? "")) throw onlyProxies();
    if (countHeader(raw, "host") !== 1 || !isOurHost(host)) throw unknownHost();
    // `GET http://other/path` is to that host, whatever its header says.
    const [, target] = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(raw.url ?? "") ?? [];
    if (target !== undefined && !isOurHost(target)) throw unknownHost();
  };
}

/** How often a request has a header, in whatever case. @param name in lower case */
export function countHeader({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">, name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const given = rawHeaders[index];
    if (given?.length === name.length && given.toLowerCase() === name) count++;
  }
  return count;
}

function toHostName(host: string): string {
  return isIP(host) === 6 ? `[${host.toLowerCase()}]` : host.toLowerCase();
}

/** True for an address that only programs of this machine reach. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/**
 * Tells which addresses are in networks.
 *
 * @param networks as CIDR, or single addresses
 * @throws AutokestraError `OPTION_INVALID`
 */
export function createNetworkCheck(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) addNetwork(list, network);
  return (address) => {
    // What a socket for both families says of an IPv4 address.
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
    const family = isIP(plain);
    return family !== 0 && list.check(plain, family === 6 ? "ipv6" : "ipv4");
  };
}

function addNetwork(list: BlockList, network: string): void {
  const [address = "", bits = null, ...rest] = network.split("/");
  const family = isIP(address);
  const longest = family === 6 ? 128 : 32;
  const length = bits === null ? longest : Number(bits);
  if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits ?? "0") || length > longest) {
    throw new AutokestraError("OPTION_INVALID", "A network of proxies is not a CIDR such as 10.0.0.0/8");
  }
  list.addSubnet(address, length, family === 6 ? "ipv6" : "ipv4");
}

function unknownHost(): AutokestraError {
  return new AutokestraError("HOST_UNKNOWN", "This server does not have that name");
}

function onlyProxies(): AutokestraError {
  return new AutokestraError("HOST_UNKNOWN", "This server accepts connections only from its proxy");
}
