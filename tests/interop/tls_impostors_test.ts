import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async";
import {
  abort,
  close,
  closeListener,
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
import {
  element,
  makeAuthority,
  oid,
  pem,
  sequence,
  type TestCertificate,
} from "../support/certificates.ts";
import { bytesOf } from "../support/text.ts";
import { needProgram } from "./support/packages.ts";
import { talk } from "./support/talk.ts";

const PATIENCE_MS = 60_000;
const SECRET = "for clients with a certificate only";
const LOOPBACK = { host: "127.0.0.1", port: 0 };
/** The versions, as options of `openssl`. */
const VERSIONS = ["-tls1_2", "-tls1_3"];
/** Lets `openssl` show what it would not show by itself. */
const WEAK = ["-cipher", "ALL:@SECLEVEL=0"];
const authority = await makeAuthority();

/** A certificate and a key in PEM, and the authority that is to be trusted. */
interface Shown {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** Writes a private key that says that it belongs to a certificate, and does not. */
async function falseKey({ keys }: TestCertificate): Promise<string> {
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const own = await crypto.subtle.generateKey(curve, true, ["sign", "verify"]) as CryptoKeyPair;
  const { d } = await crypto.subtle.exportKey("jwk", own.privateKey);
  const number = Uint8Array.from(
    atob(d!.replaceAll("-", "+").replaceAll("_", "/")),
    (c) => c.charCodeAt(0),
  );
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const publicKey = element(0x03, new Uint8Array([0, ...point]));
  const der = sequence(
    element(0x02, new Uint8Array([1])),
    element(0x04, number),
    element(0xa0, oid("1.2.840.10045.3.1.7")),
    element(0xa1, publicKey),
  );
  return pem("EC PRIVATE KEY", der);
}

async function openssl(...args: string[]): Promise<void> {
  const { code, errors } = await talk("openssl", args);
  assertEquals(code, 0, errors);
}

interface Parts {
  readonly digest: string;
  readonly caBits: number;
  readonly bits: number;
}

/** Certificates that are made: their keys take long. */
const made = new Map<string, Promise<Shown>>();

/** Makes a certificate with weak parts once, below an authority of its own. */
function makeWeak(folder: string, use: string, parts: Parts): Promise<Shown> {
  const id = JSON.stringify([use, parts]);
  const found = made.get(id) ?? makeWith(folder, use, parts);
  made.set(id, found);
  return found;
}

async function makeWith(
  folder: string,
  use: string,
  { digest, caBits, bits }: Parts,
): Promise<Shown> {
  const at = (name: string) => `${folder}/${name}`;
  const newKey = (name: string, bits: number) => openssl("genrsa", "-out", at(name), String(bits));
  await Promise.all([newKey("ca.key", caBits), newKey("own.key", bits)]);
  const ca = ["-x509", "-key", at("ca.key"), "-sha256", "-subj", "/CN=Weak", "-days", "2"];
  await openssl("req", ...ca, "-out", at("ca.pem"));
  await openssl("req", "-new", "-key", at("own.key"), "-subj", "/CN=own", "-out", at("own.csr"));
  const extensions = ["basicConstraints=CA:FALSE", `extendedKeyUsage=${use}Auth`];
  const names = "subjectAltName=DNS:server.test\n";
  await Deno.writeTextFile(at("own.ext"), [...extensions, names].join("\n"));
  const signer = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-set_serial", "7", `-${digest}`];
  const result = ["-extfile", at("own.ext"), "-out", at("own.pem"), "-days", "2"];
  await openssl("x509", "-req", "-in", at("own.csr"), ...signer, ...result);
  const [cert, key, trusted] = await Promise.all(
    ["own.pem", "own.key", "ca.pem"].map((name) => Deno.readTextFile(at(name))),
  );
  return { cert, key, ca: trusted };
}

/** The ways to a server: by the runtime's own TLS, and by the other engine. */
const WAYS: Record<
  string,
  (port: number, options: TlsClientOptions) => Promise<TlsConnection>
> = {
  "connectTls": (port, options) => connectTls({ host: "127.0.0.1", port }, options),
  "startTls after a cancelled recv": async (port, options) => {
    const connection = await connect({ host: "127.0.0.1", port });
    await recv(connection, { timeout: 1 }).catch(() => {});
    return await startTls(connection, { role: "client", ...options });
  },
};

/** Lets clients meet `openssl s_server` with a certificate, and gives their errors; "in" if one got in. */
async function meetServer(
  folder: string,
  version: string,
  { cert, key, ca }: Shown,
): Promise<string[]> {
  await Deno.writeTextFile(`${folder}/server.pem`, cert);
  await Deno.writeTextFile(`${folder}/server.key`, key);
  const shown = ["-cert", `${folder}/server.pem`, "-key", `${folder}/server.key`];
  const child = new Deno.Command("openssl", {
    args: ["s_server", "-accept", "127.0.0.1:0", version, ...shown, ...WEAK],
    // The program ends when its input does.
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let printed = "";
    while (!/ACCEPT \S+:(\d+)\n/.test(printed)) {
      const { value, done } = await deadline(lines.read(), PATIENCE_MS);
      assert(!done, "the server does not start");
      printed += value;
    }
    const port = Number(/ACCEPT \S+:(\d+)\n/.exec(printed)![1]);
    const kinds: string[] = [];
    for (const connectWay of Object.values(WAYS)) {
      try {
        abort(await connectWay(port, { caCerts: [ca], serverName: "server.test" }));
        kinds.push("in");
      } catch (error) {
        assert(error instanceof SocketError, String(error));
        kinds.push(error.kind);
      }
    }
    return kinds;
  } finally {
    child.kill("SIGKILL");
    await Promise.all([child.stdin.close().catch(() => {}), lines.cancel(), child.status]);
  }
}

/** Lets `openssl s_client` meet a server that demands certificates, and gives all that it prints. */
async function meetClient(
  folder: string,
  version: string,
  { cert, key, ca }: Shown,
): Promise<string> {
  await Deno.writeTextFile(`${folder}/client.pem`, cert);
  await Deno.writeTextFile(`${folder}/client.key`, key);
  const own = { cert: authority.server.cert, key: authority.server.key, clientCaCerts: [ca] };
  const listener = await listenTls(LOOPBACK, own);
  const serving = (async () => {
    for await (const connection of listener) {
      await send(connection, bytesOf(SECRET)).catch(() => {});
      await close(connection).catch(() => {});
    }
  })();
  const shown = ["-cert", `${folder}/client.pem`, "-key", `${folder}/client.key`];
  const where = ["-connect", `127.0.0.1:${listener.address.port}`, "-servername", "server.test"];
  const { output, errors } = await talk("openssl", [
    "s_client",
    "-ign_eof",
    version,
    ...where,
    ...shown,
    ...WEAK,
  ]);
  await closeListener(listener);
  await serving;
  return output + errors;
}

/** Runs a test with a folder for files. */
async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  await needProgram("openssl", "version");
  const folder = await Deno.makeTempDir({ prefix: "tls-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const WEAK_PARTS = {
  "a signature with MD5": { digest: "md5", caBits: 2048, bits: 2048 },
  "a signature with SHA-1": { digest: "sha1", caBits: 2048, bits: 2048 },
  "a key of 1,024 bits": { digest: "sha256", caBits: 2048, bits: 1024 },
  "an authority with a key of 1,024 bits": { digest: "sha256", caBits: 1024, bits: 2048 },
};

for (const version of VERSIONS) {
  Deno.test(`T1: ${version}: who has a certificate and not its key gets nothing`, async () => {
    await withFolder(async (folder) => {
      const { ca, client, server } = authority;
      for (const isFalse of [false, true]) {
        const keyOf = (one: TestCertificate) => isFalse ? falseKey(one) : one.key;
        const asClient = { cert: client.cert, key: await keyOf(client), ca: ca.cert };
        const asServer = { cert: server.cert, key: await keyOf(server), ca: ca.cert };
        const printed = await meetClient(folder, version, asClient);
        assertEquals(printed.includes(SECRET), !isFalse, printed);
        const kind = isFalse ? "CertificateRejected" : "in";
        assertEquals(await meetServer(folder, version, asServer), [kind, kind]);
      }
    });
  });

  for (const [what, parts] of Object.entries(WEAK_PARTS)) {
    Deno.test(`T1: ${version}: a certificate with ${what} is refused`, async () => {
      await withFolder(async (folder) => {
        const kinds = await meetServer(folder, version, await makeWeak(folder, "server", parts));
        assertEquals(kinds, ["CertificateRejected", "CertificateRejected"]);
        const printed = await meetClient(folder, version, await makeWeak(folder, "client", parts));
        assertMatch(printed, /CONNECTED/);
        assert(!printed.includes(SECRET), printed);
      });
    });
  }

  Deno.test(`T1: ${version}: a certificate with strong parts is accepted`, async () => {
    await withFolder(async (folder) => {
      const parts = { digest: "sha256", caBits: 2048, bits: 2048 };
      const shown = await makeWeak(folder, "server", parts);
      assertEquals(await meetServer(folder, version, shown), ["in", "in"]);
      const printed = await meetClient(folder, version, await makeWeak(folder, "client", parts));
      assertMatch(printed, new RegExp(SECRET));
    });
  });
}
