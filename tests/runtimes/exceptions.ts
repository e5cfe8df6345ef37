/** The tests of `tests/unit` that do not run on every runtime, and why. A test that is not named here runs on all. */

/** A test whose statement a runtime cannot keep, or that looks at a part of Deno. */
export interface Exception {
  /** The path from `tests/unit`. */
  readonly file: string;
  /** The beginning of the titles. */
  readonly title: string;
  /** `node` is every version of it. */
  readonly runtimes: readonly ("node" | "node22" | "bun")[];
  readonly reason: string;
}

const BOTH = ["node", "bun"] as const;

const TLS_VERSIONS = ["TLSv1.2", "TLSv1.3"];

const UNREADABLE = "one that came with another that cannot be read";
const WRONG_KEYS = [
  "one whose key may sign certificates alone",
  "one whose key may encrypt keys alone",
];
const ENGINE_WAYS = ["connectTls with a certificate", "startTls after a cancelled recv"];

/** Lists tests whose peers, sockets of `node:tls`, do not show a certificate: they cannot read it, or not use its key. */
function notShown(
  runtimes: Exception["runtimes"],
  side: "server" | "client",
  ways: readonly string[],
  versions: readonly string[],
  certificate: string,
): Exception[] {
  const words = side === "server" ? "a server is refused that" : "a client gets nothing that";
  return ways.flatMap((way) =>
    versions.map((version): Exception => ({
      file: `tls/${side}_trust_test.ts`,
      title: `T1: ${way}, ${version}: ${words} shows ${certificate}`,
      runtimes,
      reason: "its peer, on node:tls, does not show such a certificate",
    }))
  );
}

/** The streams of the conformance tests over TLS. */
const TLS_STREAMS = {
  "tls/conformance_start_tls_parked_test.ts": "startTls on TCP with reads under way",
  "tls/conformance_start_tls_test.ts": "startTls on TCP",
  "tls/conformance_tls_engine_test.ts": "TLS, both sides with certificates",
  "tls/conformance_tls_memory_test.ts": "TLS over memory",
  "tls/conformance_tls_runtime_test.ts": "TLS, a client on the runtime's engine",
};

/** The rows in which one side ends its sending direction and goes on receiving. */
const HALF_CLOSES = ["row 3: 1 MiB each way at once", "row 20: closeWrite", "row 21: the end of"];

export const EXCEPTIONS: readonly Exception[] = [
  ...["T2: any sequence of calls on a pair", "R6: any sequence of calls on the stream views"].map(
    (title): Exception => ({
      file: "tls/model_test.ts",
      title,
      runtimes: ["bun"],
      reason: "Bun ends both directions of TLS at the peer's close_notify",
    }),
  ),
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
    ...["", ", other direction"].flatMap((direction) =>
      ["row 3: 1 MiB each way at once", "row 20: closeWrite", "row 21: the end of"].map((row) =>
        `N1: TLS over a Unix socket${direction}: ${row}`
      )
    ),
    "T2: any sequence of calls on a pair with TLS over Unix",
    "R6: any sequence of calls on the stream views and the functions with TLS over Unix",
  ].map((title): Exception => ({
    file: "../system/unix_tls_conformance_test.ts",
    title,
    runtimes: ["bun"],
    reason: "Bun ends both directions of TLS at the peer's close_notify",
  })),
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
    file: "connection/stream_views_model_test.ts",
    title: "R6: any sequence of calls on the stream views",
    runtimes: ["node22"],
    reason: "a pipe of Node 22 that its signal stops may drop a chunk that it has read",
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
  ...Object.entries(TLS_STREAMS).flatMap(([file, stream]) =>
    ["", ", other direction"].flatMap((direction) =>
      HALF_CLOSES.map((row): Exception => ({
        file,
        title: `${stream}${direction}: ${row}`,
        runtimes: ["bun"],
        reason: "Bun ends both directions of TLS at the peer's close_notify",
      }))
    )
  ),
  ...notShown(BOTH, "client", ["listenTls", "startTls"], TLS_VERSIONS, UNREADABLE),
  ...notShown(BOTH, "server", ENGINE_WAYS, TLS_VERSIONS, UNREADABLE),
  ...WRONG_KEYS.flatMap((certificate) => {
    const ways = ["connectTls", "startTls", ...ENGINE_WAYS];
    return [
      ...notShown(["node"], "server", ways, ["TLSv1.2"], certificate),
      ...notShown(["bun"], "server", ways, TLS_VERSIONS, certificate),
      ...notShown(["bun"], "client", ["listenTls", "startTls"], TLS_VERSIONS, certificate),
    ];
  }),
];

/**
 * The tests of each file that need Deno itself: most replace its sockets, to make a listener or an attempt fail as the
 * test wants. Their number is checked, so that no test leaves the other runtimes unnoticed.
 */
export const NEED_DENO: Readonly<Record<string, number>> = {
  "../system/unix_connecting_test.ts": 1,
  "../system/unix_listening_test.ts": 1,
  "connection/conformance_over_test.ts": 52,
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
  "testing/simulate_test.ts": 1,
};
