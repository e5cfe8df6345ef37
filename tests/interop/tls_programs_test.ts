/** TLS with programs that nobody here wrote: OpenSSL, curl and HAProxy. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  close,
  connectTls,
  framed,
  lines,
  listen,
  listenTls,
  recv,
  recvLine,
  send,
  serve,
  SocketError,
  startTls,
  type TlsConnection,
} from "../../mod.ts";
import {
  CLIENT_USE,
  makeAuthority,
  makeCertificate,
  SERVER_USE,
  type TestCertificate,
} from "../support/certificates.ts";
import { bytesOf, textOf } from "../support/text.ts";
import { startHAProxy } from "./support/haproxy.ts";
import { needProgram } from "./support/packages.ts";
import { freePort } from "./support/redis.ts";
import { talk } from "./support/talk.ts";

const HOST = "127.0.0.1";
const PATIENCE_MS = 20_000;
const authority = await makeAuthority();
const { cert, key } = authority.server;
const clientOptions = { caCerts: [authority.ca.cert], serverName: "server.test" };

/** Writes certificates into a folder that the test removes. */
async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tls-" });
  try {
    const files: Record<string, string> = { "ca.pem": authority.ca.cert };
    for (const name of ["server", "client"] as const) {
      files[`${name}.pem`] = authority[name].cert;
      files[`${name}.key`] = authority[name].key;
    }
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs `openssl s_server`, which sends each line back reversed, until `use` is done. */
async function withOpenssl(
  folder: string,
  { cert, key }: TestCertificate,
  args: readonly string[],
  use: (port: number) => Promise<void>,
): Promise<void> {
  await needProgram("openssl", "version");
  await Deno.writeTextFile(`${folder}/shown.pem`, cert);
  await Deno.writeTextFile(`${folder}/shown.key`, key);
  const port = freePort(HOST);
  const child = new Deno.Command("openssl", {
    args: [
      ...["s_server", "-accept", `${HOST}:${port}`, "-rev"],
      // Without this option OpenSSL sends the first certificate alone.
      ...["-cert", `${folder}/shown.pem`, "-cert_chain", `${folder}/shown.pem`],
      ...["-key", `${folder}/shown.key`, ...args],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  while (!output.includes("ACCEPT")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`openssl s_server ended: ${output}`);
    output += value;
  }
  const draining = (async () => {
    while (!(await reader.read()).done);
  })();
  try {
    await use(port);
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await draining;
  }
}

async function reverse(port: number, options: object): Promise<[string | null, TlsConnection]> {
  const connection = await connectTls({ host: HOST, port }, { ...options, timeout: PATIENCE_MS });
  await send(connection, bytesOf("hello\n"));
  const answer = await recvLine(connection, { timeout: PATIENCE_MS });
  await close(connection);
  return [answer, connection];
}

for (const version of ["-tls1_2", "-tls1_3"]) {
  for (const own of [{}, { cert: authority.client.cert, key: authority.client.key }]) {
    const how = "cert" in own ? "with a certificate" : "without a certificate";
    Deno.test(`T1: openssl s_server ${version}: a client ${how} talks to it`, async () => {
      await withFolder(async (folder) => {
        const demand = "cert" in own ? ["-Verify", "2", "-CAfile", `${folder}/ca.pem`] : [];
        await withOpenssl(folder, authority.server, [version, ...demand], async (port) => {
          const [answer] = await reverse(port, { ...clientOptions, ...own });
          assertEquals(answer, "olleh");
        });
      });
    });

    Deno.test(`T1: openssl s_server ${version}: a client ${how} refuses strangers`, async () => {
      const bad = await strangers("server");
      await withFolder(async (folder) => {
        for (const [what, certificate] of Object.entries(bad)) {
          await withOpenssl(folder, certificate, [version], async (port) => {
            const error = await reverse(port, { ...clientOptions, ...own }).catch((error) => error);
            assert(error instanceof SocketError, `${what} got in`);
            assert(["CertificateRejected", "TlsFailed"].includes(error.kind), `${what}: ${error}`);
          });
        }
      });
    });
  }
}

/** Certificates that nobody may accept, which OpenSSL can show. */
async function strangers(use: "server" | "client"): Promise<Record<string, TestCertificate>> {
  const { ca } = authority;
  const uses = [use === "server" ? SERVER_USE : CLIENT_USE];
  const good = { subject: use, hosts: ["server.test", "127.0.0.1"], uses };
  const namesake = await makeCertificate({ subject: ca.subject, authority: true });
  const oldMiddle = await makeCertificate({ subject: "Old", issuerName: ca.subject, version: 1 });
  const genuine = await makeCertificate({ subject: "Old", issuer: ca, version: 1 });
  return {
    "a self-signed one": await makeCertificate(good),
    "one of a namesake": await makeCertificate({ ...good, issuer: namesake, chain: [namesake] }),
    "one without any names": await makeCertificate({ subject: use, issuerName: ca.subject }),
    "an old one": await makeCertificate({ ...good, issuerName: ca.subject, version: 1 }),
    "a genuine old one": await makeCertificate({ ...good, issuer: ca, version: 1 }),
    "one below an old one": await makeCertificate({
      ...good,
      issuer: oldMiddle,
      chain: [oldMiddle],
    }),
    "one below a genuine old one": await makeCertificate({
      ...good,
      issuer: genuine,
      chain: [genuine],
    }),
    "one that has expired": await makeCertificate({ ...good, issuer: ca, from: -48, until: -1 }),
    "one that is not valid yet": await makeCertificate({
      ...good,
      issuer: ca,
      from: 24,
      until: 48,
    }),
    "one for another use": await makeCertificate({
      ...good,
      issuer: ca,
      uses: [use === "server" ? CLIENT_USE : SERVER_USE],
    }),
    "one with something critical": await makeCertificate({
      ...good,
      issuer: ca,
      extensions: [["1.2.3.4.5", new Uint8Array([5, 0]), true]],
    }),
    "the authority's": ca,
  };
}

Deno.test("T1: openssl s_server with TLS 1.0 and TLS 1.1 only is refused", async () => {
  await withFolder(async (folder) => {
    for (const version of ["-tls1", "-tls1_1"]) {
      const args = [version, "-cipher", "ALL:@SECLEVEL=0"];
      await withOpenssl(folder, authority.server, args, async (port) => {
        for (const own of [{}, { cert: authority.client.cert, key: authority.client.key }]) {
          const error = await reverse(port, { ...clientOptions, ...own }).catch((error) => error);
          assert(error instanceof SocketError, "it got in");
          assertEquals(error.kind, "TlsFailed");
        }
      });
    }
  });
});

/** Serves one HTTP answer to each client. */
async function answerHttp(connection: Parameters<typeof send>[0]): Promise<void> {
  for await (const line of framed(connection, lines())) if (line === "") break;
  const name = (connection as TlsConnection).tls?.serverName;
  const body = `hello from ${name}\n`.repeat(1000);
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  await send(connection, bytesOf(head + body));
}

Deno.test("T1: curl gets an answer from listenTls, with a client certificate where one is demanded", async () => {
  await needProgram("curl", "--version");
  await withFolder(async (folder) => {
    const open = serve(await listenTls({ host: HOST, port: 0 }, { cert, key }), answerHttp);
    const options = { cert, key, clientCaCerts: [authority.ca.cert] };
    const demanding = serve(await listenTls({ host: HOST, port: 0 }, options), answerHttp);
    const get = (port: number, ...args: string[]) =>
      talk("curl", [
        ...["--silent", "--show-error", "--cacert", `${folder}/ca.pem`],
        ...["--resolve", `server.test:${port}:${HOST}`, "--max-time", "20", ...args],
        `https://server.test:${port}/`,
      ]);
    const body = "hello from server.test\n".repeat(1000);
    const shown = ["--cert", `${folder}/client.pem`, "--key", `${folder}/client.key`];
    try {
      for (const version of ["--tlsv1.2", "--tlsv1.3"]) {
        const limit = version === "--tlsv1.2" ? ["--tls-max", "1.2"] : [];
        const answer = await get(open.address.port, version, ...limit);
        assertEquals(answer.output, body, answer.errors);
        const known = await get(demanding.address.port, version, ...limit, ...shown);
        assertEquals(known.output, body, known.errors);
        const unknown = await get(demanding.address.port, version, ...limit);
        assertEquals(unknown.output, "");
        assertMatch(unknown.errors, /^curl: \(/);
      }
    } finally {
      await Promise.all([open.shutdown({ timeout: 1000 }), demanding.shutdown({ timeout: 1000 })]);
    }
  });
});

Deno.test("P4, T4: HAProxy sends a PROXY header of version 2, and TLS right behind it", async () => {
  await withFolder(async (folder) => {
    const server = serve(await listen({ host: HOST, port: 0 }), async (connection, { proxy }) => {
      const secure = await startTls(connection, { role: "server", cert, key });
      const client = `${secure.remoteAddress.host}:${secure.remoteAddress.port}`;
      await send(secure, bytesOf(`${client} ${proxy?.version} ${secure.tls.serverName}`));
    }, { proxyProtocol: { trust: [HOST] } });
    await Deno.writeTextFile(`${folder}/both.pem`, cert + key);
    const haproxy = await startHAProxy(["relay"], ({ ports }) => `
listen relay
  mode tcp
  timeout client 20s
  timeout server 20s
  timeout connect 20s
  bind ${HOST}:${ports.relay} ssl crt ${folder}/both.pem
  server us ${HOST}:${server.address.port} send-proxy-v2 ssl verify required ca-file ${folder}/ca.pem verifyhost server.test sni str(server.test)
`);
    try {
      const address = { host: HOST, port: haproxy.ports.relay };
      const client = await connectTls(address, { ...clientOptions, timeout: PATIENCE_MS });
      const answer = textOf(await recv(client, { timeout: PATIENCE_MS }));
      assertEquals(answer, `${HOST}:${client.localAddress.port} 2 server.test`);
      await close(client);
    } finally {
      await haproxy[Symbol.asyncDispose]();
      await server.shutdown({ timeout: 1000 });
    }
  });
});
