/**
 * HAProxy as a sender: the parser reads every kind of header that it writes.
 */
import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  close,
  connect,
  type Connection,
  connectionOver,
  encodeProxyHeader,
  type ProxyHeader,
  type ProxyHeaderInit,
  send,
  type SocketAddress,
} from "../../mod.ts";
import { bytesOf, textOf } from "../support/text.ts";
import { makeCertificate } from "./support/certificates.ts";
import { type HAProxy, type Places, startHAProxy } from "./support/haproxy.ts";
import { HeaderListener } from "./support/header_listener.ts";

interface Relay {
  /** Options of HAProxy's `bind`, beside the address. */
  readonly bind?: string;
  /** Options of HAProxy's `server`, such as `send-proxy`. */
  readonly how: string;
  /** Lines of the configuration for health checks. */
  readonly check?: readonly string[];
  readonly uniqueId?: string;
}

/** Starts a HAProxy that relays its port `relay`, and a Unix socket, to the listener. */
function startRelay(
  listener: HeaderListener,
  relay: Relay | ((places: Places) => Promise<Relay>),
): Promise<HAProxy> {
  return startHAProxy(["relay"], async (places) => {
    const { bind = "", how, check = [], uniqueId } = typeof relay === "object"
      ? relay
      : await relay(places);
    return `
listen relay
  mode tcp
  timeout client 20s
  timeout server 20s
  timeout connect 20s
  bind 127.0.0.1:${places.ports.relay} ${bind}
  bind unix@${places.folder}/relay.sock ${bind}
  bind [::1]:${places.ports.relay} ${bind}
  ${check.join("\n  ")}
  ${uniqueId === undefined ? "" : `unique-id-format ${uniqueId}`}
  server us 127.0.0.1:${listener.port} ${how}
`;
  });
}

/** Sends hello through HAProxy, and gives the header that the listener gets. */
async function headerOf(
  listener: HeaderListener,
  client: Connection<SocketAddress>,
): Promise<ProxyHeader> {
  try {
    await send(client, bytesOf("hello"));
    using connection = await listener.next();
    assertEquals(textOf(await connection.rest(5)), "hello");
    return connection.header;
  } finally {
    await close(client, { linger: 0 });
  }
}

const BARE = { command: "PROXY", crc32c: false, tlvs: [] } as const;

for (const [version, how] of [[1, "send-proxy"], [2, "send-proxy-v2"]] as const) {
  Deno.test(`P4: ${how}: HAProxy names a client of either family`, async () => {
    using listener = new HeaderListener();
    await using haproxy = await startRelay(listener, { how });
    for (const host of ["127.0.0.1", "::1"]) {
      const client = await connect({ host, port: haproxy.ports.relay });
      assertEquals(await headerOf(listener, client), {
        ...BARE,
        version,
        transport: "tcp",
        source: client.localAddress,
        destination: client.remoteAddress,
      });
    }
  });

  Deno.test(`P4: ${how}: HAProxy names no client of a Unix socket`, async () => {
    using listener = new HeaderListener();
    await using haproxy = await startRelay(listener, { how });
    const path = `${haproxy.folder}/relay.sock`;
    const client = connectionOver(await Deno.connect({ transport: "unix", path }));
    assertEquals(await headerOf(listener, client), {
      ...BARE,
      version,
      command: version === 1 ? "PROXY" : "LOCAL",
      transport: "unknown",
    });
  });

  Deno.test(`P2: ${how}: HAProxy's health check begins with a header too`, async () => {
    using listener = new HeaderListener();
    // A plain check resets the connection at once, perhaps before its header is read.
    const check = ["option tcp-check", "tcp-check connect default", "tcp-check expect string ok"];
    await using _haproxy = await startRelay(listener, { how: `${how} check`, check });
    using connection = await listener.next();
    const { header } = connection;
    assertEquals(header.version, version);
    if (version === 2) {
      assertEquals(header, { ...BARE, version, command: "LOCAL", transport: "unknown" });
    } else {
      // The header has HAProxy's own addresses, or none.
      assert(header.source === undefined || header.source.host === "127.0.0.1");
    }
  });

  Deno.test(`P6: ${how}: HAProxy passes on the addresses of a header of ours`, async () => {
    using listener = new HeaderListener();
    await using haproxy = await startRelay(listener, { bind: "accept-proxy", how });
    const [v4, v6] = [{ host: "192.0.2.1", port: 0 }, { host: "2001:db8:0:1::1", port: 65535 }];
    const [to4, to6] = [{ host: "192.0.2.2", port: 443 }, { host: "fd00::ffff:0:2", port: 1 }];
    for (const [source, destination] of [[v4, to4], [v6, to6], [v4, to6], [v6, to4]]) {
      for (const ours of [1, 2] as const) {
        const client = await connect({ host: "127.0.0.1", port: haproxy.ports.relay });
        await send(client, encodeProxyHeader({ source, destination }, { version: ours }));
        const expected = { ...BARE, version, transport: "tcp" as const, source, destination };
        assertEquals(await headerOf(listener, client), expected);
      }
    }
  });
}

Deno.test("P5: send-proxy-v2: HAProxy's checksum is right, its unique id and the authority are read", async () => {
  using listener = new HeaderListener();
  const how = "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority";
  const uniqueId = "from-%ci-%cp";
  await using haproxy = await startRelay(listener, { bind: "accept-proxy", how, uniqueId });
  const init: ProxyHeaderInit = {
    source: { host: "192.0.2.1", port: 56324 },
    destination: { host: "192.0.2.2", port: 443 },
    authority: "exämple.com",
    uniqueId: bytesOf("ours, which HAProxy does not pass on"),
    crc32c: true,
  };
  for (let times = 0; times < 20; times++) {
    const source = { host: "192.0.2.1", port: 50_000 + times };
    const client = await connect({ host: "127.0.0.1", port: haproxy.ports.relay });
    await send(client, encodeProxyHeader({ ...init, source }, { version: 2 }));
    const header = await headerOf(listener, client);
    assertEquals(header, {
      ...BARE,
      version: 2,
      transport: "tcp",
      source,
      destination: init.destination,
      crc32c: true,
      authority: init.authority,
      uniqueId: bytesOf(`from-192.0.2.1-${source.port}`),
    });
  }
});

const EVERY_OPTION = [
  ...["ssl", "cert-cn", "ssl-cipher", "cert-sig", "cert-key", "authority", "crc32c", "unique-id"],
];

/** Starts a HAProxy that ends TLS and asks for a certificate, which it need not know. */
function startTlsRelay(listener: HeaderListener): Promise<HAProxy> {
  return startRelay(listener, async ({ folder }) => {
    const own = await makeCertificate(folder, "localhost");
    const both = concat([await Deno.readFile(own.certificate), await Deno.readFile(own.key)]);
    await Deno.writeFile(`${folder}/both.pem`, both);
    const known = await makeCertificate(folder, "client");
    await makeCertificate(folder, "stranger");
    return {
      bind: `ssl crt ${folder}/both.pem alpn h2,http/1.1 ca-file ${known.certificate} ` +
        "verify optional crt-ignore-err all ca-ignore-err all",
      how: `send-proxy-v2 proxy-v2-options ${EVERY_OPTION.join(",")}`,
      uniqueId: "id",
    };
  });
}

async function connectTls(haproxy: HAProxy, name?: string): Promise<Connection> {
  const read = (file: string) => Deno.readTextFile(`${haproxy.folder}/${file}`);
  const pair = name === undefined
    ? {}
    : { cert: await read(`${name}.pem`), key: await read(`${name}.key`) };
  const connection = await Deno.connectTls({
    hostname: "localhost",
    port: haproxy.ports.relay,
    caCerts: [await read("localhost.pem")],
    alpnProtocols: ["h2"],
    ...pair,
  });
  await connection.handshake();
  return connectionOver(connection);
}

Deno.test("P2: send-proxy-v2: HAProxy's details of TLS are read", async () => {
  using listener = new HeaderListener();
  await using haproxy = await startTlsRelay(listener);
  const ssl = {
    tls: true,
    certificateOnConnection: false,
    certificateInSession: false,
    verify: 0,
    version: "TLSv1.3",
    signatureAlgorithm: "RSA-SHA256",
    keyAlgorithm: "RSA2048",
    tlvs: [],
  };
  const certificate = { certificateOnConnection: true, certificateInSession: true };
  const cases = [
    [undefined, {}],
    ["client", { ...certificate, commonName: "client" }],
    // X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    ["stranger", { ...certificate, commonName: "stranger", verify: 18 }],
  ] as const;
  for (const [name, details] of cases) {
    const client = await connectTls(haproxy, name);
    const header = await headerOf(listener, client);
    assert(/^TLS_[A-Z0-9_]+$/.test(header.ssl?.cipher ?? ""), header.ssl?.cipher);
    assertEquals(header, {
      ...BARE,
      version: 2,
      transport: "tcp",
      source: client.localAddress,
      destination: client.remoteAddress,
      crc32c: true,
      alpn: "h2",
      authority: "localhost",
      uniqueId: bytesOf("id"),
      ssl: { ...ssl, ...details, cipher: header.ssl!.cipher! },
    });
  }
});
