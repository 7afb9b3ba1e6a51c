import dns from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { allowsHost, type NetworkPolicy } from "@autokestra/plugin-sdk";
import { HttpFailure } from "./http-failure.ts";
import { parseUrl } from "./parse-url.ts";

/** Where requests may go, whatever their task. */
export interface NetworkOptions {
  /**
   * `deny` refuses addresses of this machine and of private networks. Link-local addresses and the metadata services of
   * clouds are always refused. Default: `allow`.
   */
  readonly privateNetworks?: "allow" | "deny" | undefined;
  /**
   * The hosts that may have such addresses nevertheless, as in `NetworkPolicy.hosts`. Through a proxy, whose addresses
   * cannot be seen, `deny` allows no other host. Default: none.
   */
  readonly allowHosts?: readonly string[] | undefined;
}

/** Decides where the requests of one task may go. Ask it for every hop. */
export interface NetworkGuard {
  /**
   * Checks what is known before a connection is opened.
   *
   * @param isProxied whether the request goes through a proxy, which resolves the name of the host itself
   * @throws HttpFailure `HTTP_NOT_ALLOWED`
   */
  check(hop: CheckedHop, isProxied: boolean): void;
  /** Resolves the name of a host to the addresses that are allowed, for the socket that connects to it. */
  lookupFor(url: URL): LookupFunction;
}

interface CheckedHop {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

/** Creates the guard of one task. */
export function createNetworkGuard(options: NetworkOptions, { hosts, secrets = [] }: NetworkPolicy = {}): NetworkGuard {
  const { privateNetworks = "allow", allowHosts = [] } = options;
  const isAllowed = (address: string, url: URL): boolean =>
    !matches(NEVER, address) && (privateNetworks === "allow" || !isPrivate(address) || allowsHost(allowHosts, url));

  return {
    check({ url, headers }, isProxied) {
      const { protocol, hostname } = url;
      // By the Host header, a server can pass the request on to another host.
      const receivers = [url.href, `${protocol}//${headers["host"] ?? url.host}`];
      const urls = receivers.map((one) => parseUrl(one));
      if (hosts !== undefined && !urls.every((one) => one !== null && allowsHost(hosts, one))) {
        throw notAllowed(`${describeSecrets(secrets)} may be sent to ${hosts.join(", ") || "no host"} only`);
      }
      const address = hostname.replace(/^\[|\]$/g, "");
      if (isIP(address) === 0 ? METADATA_NAME.test(hostname) : !isAllowed(address, url)) throw notAllowed(ADDRESS);
      if (isProxied && privateNetworks === "deny" && !allowsHost(allowHosts, url)) {
        throw notAllowed("the address behind the proxy is not known, and the configuration does not list the host");
      }
    },
    lookupFor: (url) => (hostname, given, callback) =>
      dns.lookup(hostname, { ...given, all: true }, (error, addresses) => {
        if (error) return callback(error, []);
        const [first, ...others] = addresses.filter(({ address }) => isAllowed(address, url));
        if (first === undefined) return callback(notAllowed(ADDRESS), []);
        // Node asks for one address if it must not try several.
        return given.all === true ? callback(null, [first, ...others]) : callback(null, first.address, first.family);
      }),
  };
}

function describeSecrets(names: readonly string[]): string {
  return names.length === 0 ? "its secrets" : `the secret${names.length === 1 ? "" : "s"} ${names.join(" and ")}`;
}

const ADDRESS = "the address of its host may not be connected to";

function notAllowed(reason: string): HttpFailure {
  return new HttpFailure("HTTP_NOT_ALLOWED", `it is not allowed: ${reason}`);
}

function matches(list: BlockList, address: string): boolean {
  // A link-local address can end with its interface, such as fe80::1%eth0.
  return list.check(address.replace(/%.*$/, ""), isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** The names of metadata services, for proxies, which resolve names themselves. */
const METADATA_NAME = /^(?:metadata|instance-data|metadata\.goog|(?:metadata|instance-data)\.[a-z]+\.internal)\.?$/;

/** Link-local addresses, and those of metadata services and host agents of clouds. */
const NEVER = createBlockList(
  [
    ["169.254.0.0", 16],
    // Alibaba Cloud, Azure, Oracle Cloud.
    ["100.100.100.200", 32],
    ["168.63.129.16", 32],
    ["192.0.0.192", 32],
  ],
  [
    ["fe80::", 10],
    // AWS, Google Cloud.
    ["fd00:ec2::254", 128],
    ["fd20:ce::254", 128],
  ],
);

/** The addresses that are not of the public internet (IANA special-purpose address registries). */
const PRIVATE = createBlockList(
  [
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["172.16.0.0", 12],
    ["192.0.0.0", 24],
    ["192.168.0.0", 16],
    ["198.18.0.0", 15],
    ["224.0.0.0", 3],
  ],
  [],
);

/** The public internet of IPv6, and what stands for addresses of IPv4: NAT64 and mapped addresses. */
const GLOBAL_IPV6 = createBlockList(
  [],
  [
    ["2000::", 3],
    ["64:ff9b::", 96],
    ["::ffff:0:0", 96],
  ],
);

function isPrivate(address: string): boolean {
  return matches(PRIVATE, address) || (isIP(address) === 6 && !matches(GLOBAL_IPV6, address));
}

type Subnet = readonly [address: string, bits: number];

/** The subnets of IPv4 are also found as IPv6 writes them: compatible, translated, NAT64 and 6to4. Mapped ones always are. */
function createBlockList(ipv4: readonly Subnet[], ipv6: readonly Subnet[]): BlockList {
  const list = new BlockList();
  for (const [address, bits] of ipv6) list.addSubnet(address, bits, "ipv6");
  for (const [address, bits] of ipv4) {
    list.addSubnet(address, bits, "ipv4");
    for (const prefix of ["::", "::ffff:0:", "64:ff9b::"]) list.addSubnet(`${prefix}${address}`, 96 + bits, "ipv6");
    const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
    list.addSubnet(`2002:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}::`, 16 + bits, "ipv6");
  }
  return list;
}
