import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async";
import {
  abort,
  type Address,
  connect,
  connectTls,
  listenTls,
  recv,
  send,
  SocketError,
  startTls,
  type TlsClientOptions,
  type TlsConnection,
} from "../../mod.ts";
import { makeAuthority } from "../support/certificates.ts";
import { bytesOf, textOf } from "../support/text.ts";
import { connectNodeClient, GREETING, startNodeServer, VERSIONS } from "../support/tls_peers.ts";
import { needProgram } from "./support/packages.ts";
import { talk } from "./support/talk.ts";

const PATIENCE_MS = 60_000;
const SECRET = "for clients with a certificate only";
const LOOPBACK = { host: "127.0.0.1", port: 0 };
const own = await makeAuthority();

/** Kinds of keys of authorities: options of `openssl genpkey`, and of the signature. */
const KNOWN: Record<string, readonly [key: string[], signature: string[]]> = {
  "P-384": [["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], ["-sha384"]],
  "P-521": [["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], ["-sha256"]],
  "P-521 with SHA-512": [["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], ["-sha512"]],
  "Ed25519": [["-algorithm", "ED25519"], []],
  "RSA": [["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["-sha256"]],
  "RSA that signs with RSASSA-PSS": [
    ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    ["-sha384", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"],
  ],
};
const UNKNOWN: typeof KNOWN = {
  "secp256k1": [["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], ["-sha256"]],
  "Ed448": [["-algorithm", "ED448"], []],
  "RSA for RSASSA-PSS alone": [
    ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
    ["-sha256", "-sigopt", "rsa_pss_saltlen:digest"],
  ],
};

interface Shown {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

async function openssl(...args: string[]): Promise<void> {
  const { code, errors } = await talk("openssl", args);
  assertEquals(code, 0, errors);
}

/** Makes an authority with a key of a kind, and a certificate with a usual key that it has signed. */
async function makeSigned([key, signature]: readonly [string[], string[]]): Promise<Shown> {
  await needProgram("openssl", "version");
  const folder = await Deno.makeTempDir({ prefix: "tls-" });
  const at = (name: string) => `${folder}/${name}`;
  try {
    await openssl("genpkey", ...key, "-out", at("ca.key"));
    const curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    await openssl("genpkey", ...curve, "-out", at("own.key"));
    const ca = ["-x509", "-key", at("ca.key"), "-subj", "/CN=Rare", "-days", "2"];
    await openssl("req", ...ca, "-out", at("ca.pem"));
    await openssl("req", "-new", "-key", at("own.key"), "-subj", "/CN=own", "-out", at("own.csr"));
    const extensions = "basicConstraints=CA:FALSE\nsubjectAltName=DNS:server.test\n";
    await Deno.writeTextFile(at("own.ext"), extensions);
    const signer = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-set_serial", "7", ...signature];
    const result = ["-extfile", at("own.ext"), "-out", at("own.pem"), "-days", "2"];
    await openssl("x509", "-req", "-in", at("own.csr"), ...signer, ...result);
    const [cert, ownKey, trusted] = await Promise.all(
      ["own.pem", "own.key", "ca.pem"].map((name) => Deno.readTextFile(at(name))),
    );
    return { cert, key: ownKey, ca: trusted };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The ways to a server: by the runtime's own TLS, and by the other engine. */
const WAYS: Record<
  string,
  (address: Address, options: TlsClientOptions) => Promise<TlsConnection>
> = {
  "connectTls": (address, options) => connectTls(address, options),
  "connectTls with a certificate": (address, options) =>
    connectTls(address, { ...options, cert: own.client.cert, key: own.client.key }),
  "startTls": async (address, options) =>
    await startTls(await connect(address), { role: "client", ...options }),
};

/** Lets clients meet a server, and gives what it says to each, or the reason of its refusal. */
async function meetServer({ cert, key, ca }: Shown, version: "TLSv1.2" | "TLSv1.3") {
  await using server = await startNodeServer({ ...own.server, cert, key }, { version });
  const results: string[] = [];
  for (const connectWay of Object.values(WAYS)) {
    const connecting = connectWay(server.address, { caCerts: [ca], serverName: "server.test" });
    try {
      const connection = await deadline(connecting, PATIENCE_MS);
      results.push(textOf(await recv(connection)) ?? "");
      abort(connection);
    } catch (error) {
      assert(error instanceof SocketError, String(error));
      results.push(error.reason);
    }
  }
  return results;
}

/** Lets a client meet a server that demands certificates, and gives what it receives. */
async function meetClient({ cert, key, ca }: Shown, version: "TLSv1.2" | "TLSv1.3") {
  const { server } = own;
  const listener = await listenTls(LOOPBACK, {
    cert: server.cert,
    key: server.key,
    clientCaCerts: [ca],
  });
  const serving = (async () => {
    for await (const connection of listener) {
      await send(connection, bytesOf(SECRET)).catch(() => {});
      abort(connection);
    }
  })();
  const { port } = listener.address;
  const received = await deadline(connectNodeClient(port, { version, cert, key }), PATIENCE_MS);
  await listener[Symbol.asyncDispose]();
  await serving;
  return received;
}

for (const version of VERSIONS) {
  for (const [what, kind] of Object.entries(KNOWN)) {
    Deno.test(`T1: ${version}: an authority with a key of ${what} is trusted, and no namesake of it`, async () => {
      const [signed, others] = await Promise.all([makeSigned(kind), makeSigned(kind)]);
      assertEquals(await meetServer(signed, version), Array(3).fill(GREETING));
      assertEquals(await meetClient(signed, version), SECRET);
      const forged = { ...others, ca: signed.ca };
      for (const reason of await meetServer(forged, version)) {
        assertMatch(
          reason,
          /certificate is rejected: (no trusted authority|its signature is wrong)/,
        );
      }
      assertEquals(await meetClient(forged, version), "");
    });
  }

  for (const [what, kind] of Object.entries(UNKNOWN)) {
    Deno.test(`T1: ${version}: an authority with a key of ${what} is refused, and the error says that`, async () => {
      const signed = await makeSigned(kind);
      for (const reason of await meetServer(signed, version)) {
        assertMatch(reason, /a kind that is not known here/);
      }
      assertEquals(await meetClient(signed, version), "");
    });
  }
}
