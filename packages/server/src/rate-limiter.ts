import { isIP } from "node:net";
import { AutokestraError } from "@autokestra/secrets-core";

export interface RateLimiterOptions {
  /** How many in a window. */
  readonly limit: number;
  readonly windowMs: number;
  /** How many keys are remembered: the memory is bounded, whatever clients send. Default: 10 000. */
  readonly maxKeys?: number | undefined;
  /** Milliseconds that only grow. Default: `performance.now`. */
  readonly now?: (() => number) | undefined;
}

/** Counts by key, in windows of time. */
export interface RateLimiter {
  /** Counts one. @returns how many seconds are left until the next window where the limit is exceeded, else 0 */
  count(key: string): number;
  /** The same without counting. */
  check(key: string): number;
}

interface Window {
  readonly endsAt: number;
  count: number;
}

/** Creates a counter. Where there are too many keys, the one that began first is forgotten. */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const { limit, windowMs, maxKeys = 10_000, now = () => performance.now() } = options;
  const windows = new Map<string, Window>();

  function windowOf(key: string): Window | undefined {
    const window = windows.get(key);
    if (window === undefined || window.endsAt > now()) return window;
    windows.delete(key);
    return undefined;
  }

  function secondsLeft(window: Window): number {
    return Math.max(1, Math.ceil((window.endsAt - now()) / 1000));
  }

  return {
    count(key) {
      let window = windowOf(key);
      if (window === undefined) {
        const [oldest] = windows.keys();
        if (windows.size >= maxKeys && oldest !== undefined) windows.delete(oldest);
        window = { endsAt: now() + windowMs, count: 0 };
        windows.set(key, window);
      }
      window.count += 1;
      return window.count > limit ? secondsLeft(window) : 0;
    },
    check(key) {
      const window = windowOf(key);
      return window !== undefined && window.count >= limit ? secondsLeft(window) : 0;
    },
  };
}

/** An IPv4 address, also as a socket for both families says it, and as proxies that name the port. */
const IPV4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/i;

/** The key of an address: of IPv6 the network, which one client has whole. */
export function addressKey(address: string): string {
  const ipv4 = IPV4.exec(address)?.[1];
  if (ipv4 !== undefined) return ipv4;
  const ipv6 = /^\[(.*)\]/.exec(address)?.[1] ?? address;
  if (isIP(ipv6) !== 6) return address;
  // One address is written in many ways: `2001:db8::1:2:3:4` is in the network 2001:db8:0:0.
  const [before = [], after = []] = ipv6.split("::").map((part) => (part === "" ? [] : part.split(":")));
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => "0");
  const network = [...before, ...zeros, ...after].slice(0, 4);
  return network.map((group) => Number.parseInt(group, 16).toString(16)).join(":");
}

export function rateLimited(seconds: number): AutokestraError {
  return new AutokestraError("RATE_LIMITED", "Too many requests", { details: { retryAfterSeconds: seconds } });
}
