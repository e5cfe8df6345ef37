/** The tests of `tests/unit` that do not run on every runtime, and why. A test that is not named here runs on all. */

/** A test whose statement a runtime cannot keep, or that looks at a part of Deno. */
export interface Exception {
  /** The path from `tests/unit`. */
  readonly file: string;
  /** The beginning of the titles. */
  readonly title: string;
  readonly runtimes: readonly ("node" | "bun")[];
  readonly reason: string;
}

const BOTH = ["node", "bun"] as const;

export const EXCEPTIONS: readonly Exception[] = [
  {
    file: "../system/unix_listening_test.ts",
    title: "N1: clients that wait when the listener closes are reset",
    runtimes: BOTH,
    reason: "Node and Bun accept every client, and cannot reset a Unix socket that sent nothing",
  },
  ...[
    ["unix_listening_test.ts", "N1: replaceStale "],
    ["unix_listening_test.ts", "N1: listen() with replaceStale "],
    ["unix_listening_test.ts", "N1: of several listens with replaceStale "],
    ["unix_faults_test.ts", "N1: replaceStale "],
  ].map(([name, title]): Exception => ({
    file: `../system/${name}`,
    title,
    runtimes: ["bun"],
    reason: "replaceStale is Unsupported on Bun",
  })),
  {
    file: "../system/unix_listening_test.ts",
    title: "N1: an abstract name may have 107 bytes if the runtime can",
    runtimes: ["bun"],
    reason: "Bun takes at most 106 bytes of an abstract name",
  },
  ...[
    ["unix_connecting_test.ts", "N1: connect() is ConnectionRefused if the path goes through"],
    ["unix_faults_test.ts", "N1: connect() to a listener with a full queue"],
  ].map(([name, title]): Exception => ({
    file: `../system/${name}`,
    title,
    runtimes: ["bun"],
    reason: "Bun says ECONNREFUSED, whatever has failed",
  })),
  {
    file: "connection/stream_views_writable_test.ts",
    title: "K7: a pipe's signal aborts at once while the destination's peer takes nothing",
    runtimes: ["node"],
    reason: "pipeTo of Node rejects with the error of the write, not with the signal's reason",
  },
  {
    file: "core/errors_test.ts",
    title: "E1, E2: connect is Unreachable",
    runtimes: ["bun"],
    reason: "Bun says ECONNREFUSED, whatever has failed",
  },
  ...["parseAddress() reads what", "E1: parseAddress() takes", "a host is an IPv6 address exactly"]
    .map((title): Exception => ({
      file: "core/property_test.ts",
      title,
      runtimes: ["bun"],
      reason: "they compare with URL, and that of Bun reads some IPv6 addresses in another way",
    })),
  ...["P2: version", "P6: version"].map((title): Exception => ({
    file: "proxy_protocol/proxy_property_test.ts",
    title,
    runtimes: ["bun"],
    reason: "their addresses come from URL, and that of Bun does not read all of IPv6",
  })),
  {
    file: "core/fuzz_test.ts",
    title: "parseAddress keeps its promises",
    runtimes: ["bun"],
    reason: "it compares with URL, and that of Bun reads some IPv6 addresses in another way",
  },
  {
    file: "framing/framed_memory_test.ts",
    title: "F4: over TCP, at most the limit and one read wait",
    runtimes: ["bun"],
    reason: "one read of Bun has up to 512 KiB, and the test allows 124",
  },
  {
    file: "framing/framing_check_codec_test.ts",
    title: "checkCodec() finds frames that cannot be compared: Headers",
    runtimes: ["bun"],
    reason: "Headers of Bun have properties of their own",
  },
  {
    file: "serve/serve_test.ts",
    title: "V1: a server has its address, and counts its connections",
    runtimes: BOTH,
    reason: "Deno.inspect, which shows a handle in its own form",
  },
  {
    file: "tcp/connecting_test.ts",
    title: "C1: timeout and signal cover an attempt that nobody answers",
    runtimes: BOTH,
    reason: "its listener has a full backlog, and Node and Bun accept every client",
  },
  {
    file: "tcp/listening_test.ts",
    title: "listen() takes a backlog and a port",
    runtimes: ["bun"],
    reason: "listeners of Bun have a backlog of 512, and no other",
  },
];

/**
 * The tests of each file that need Deno itself: most replace its sockets, to make a listener or an attempt fail as the
 * test wants. Their number is checked, so that no test leaves the other runtimes unnoticed.
 */
export const NEED_DENO: Readonly<Record<string, number>> = {
  "../system/unix_connecting_test.ts": 1,
  "../system/unix_listening_test.ts": 1,
  "connection/conformance_over_test.ts": 52,
  "core/bad_input_permissions_test.ts": 1,
  "core/everything_cancelling_test.ts": 28,
  "core/everything_parking_test.ts": 3,
  "core/everything_test.ts": 2,
  "core/fairness_test.ts": 1,
  "serve/serve_arguments_test.ts": 1,
  "serve/serve_disconnected_test.ts": 1,
  "serve/serve_errors_test.ts": 3,
  "serve/serve_finishing_test.ts": 1,
  "serve/serve_limits_test.ts": 1,
  "serve/serve_proxy_test.ts": 1,
  "serve/serve_refused_test.ts": 4,
  "serve/serve_shutdown_test.ts": 16,
  "tcp/accepting_test.ts": 31,
  "tcp/connecting_test.ts": 8,
  "tcp/listening_test.ts": 14,
};
