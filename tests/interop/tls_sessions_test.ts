import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  close,
  closeListener,
  type Connection,
  listen,
  type Listener,
  listenTls,
  send,
  SocketError,
  startTls,
  type TlsServerOptions,
} from "../../mod.ts";
import { makeAuthority, makeCertificate, type TestCertificate } from "../support/certificates.ts";
import { bytesOf } from "../support/text.ts";
import { needProgram } from "./support/packages.ts";
import { talk } from "./support/talk.ts";

const SECRET = "for clients with a certificate only";
const PUBLIC = "for everybody";
const LOOPBACK = { host: "127.0.0.1", port: 0 };
/** The versions, as options of `openssl s_client`. */
const VERSIONS = ["-tls1_2", "-tls1_3"];
const authority = await makeAuthority();
const { cert, key } = authority.server;
const other = await makeAuthority("Another Authority");

type Secure = (connection: Connection) => Connection | Promise<Connection>;

/** Serves a text to each client that gets in. */
class TextServer implements AsyncDisposable {
  readonly listener: Listener;
  readonly #serving: Promise<void>;
  /** Clients that got in. */
  clients = 0;

  /** @param secure Begins TLS on what the listener accepts, if the listener does not. */
  constructor(listener: Listener, text: string, secure?: Secure) {
    this.listener = listener;
    this.#serving = this.#serve(text, secure);
  }

  async #serve(text: string, secure: Secure = (connection) => connection): Promise<void> {
    const closing: Promise<void>[] = [];
    for await (const connection of this.listener) {
      closing.push(this.#answer(connection, text, secure));
    }
    await Promise.all(closing);
  }

  async #answer(connection: Connection, text: string, secure: Secure): Promise<void> {
    let secured: Connection;
    try {
      secured = await secure(connection);
    } catch (error) {
      assert(error instanceof SocketError, String(error));
      return;
    }
    this.clients++;
    await answer(secured, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeListener(this.listener);
    await this.#serving;
  }
}

async function answer(connection: Connection, text: string): Promise<void> {
  await send(connection, bytesOf(text)).catch(() => {});
  await close(connection).catch(() => {});
}

/** A folder with certificates and sessions, for programs that take files. */
class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    await needProgram("openssl", "version");
    return new Folder(await Deno.makeTempDir({ prefix: "tls-" }));
  }

  async write(name: string, text: string): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.writeTextFile(path, text);
    return path;
  }

  /** Gives the arguments by which `openssl` shows a certificate. */
  async certificate(name: string, certificate: TestCertificate): Promise<string[]> {
    const [cert, key] = await Promise.all([
      this.write(`${name}.pem`, certificate.cert),
      this.write(`${name}.key`, certificate.key),
    ]);
    return ["-cert", cert, "-key", key];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Connects with `openssl s_client`, and gives all that it prints. */
async function visit(listener: Listener, ...args: string[]): Promise<string> {
  const { port } = listener.address;
  const { output, errors } = await talk("openssl", [
    "s_client",
    "-ign_eof",
    "-connect",
    `127.0.0.1:${port}`,
    "-servername",
    "server.test",
    ...args,
  ]);
  return output + errors;
}

for (const version of VERSIONS) {
  Deno.test(`T1: ${version}: a client with a good certificate gets in, also with a resumed session`, async () => {
    await using folder = await Folder.make();
    const shown = await folder.certificate("client", authority.client);
    const listener = await listenTls(LOOPBACK, { cert, key, clientCaCerts: [authority.ca.cert] });
    await using server = new TextServer(listener, SECRET);
    const session = `${folder.path}/session`;
    assertMatch(await visit(listener, version, ...shown, "-sess_out", session), new RegExp(SECRET));
    const again = await visit(listener, version, ...shown, "-sess_in", session);
    assertMatch(again, /Reused, /);
    assertMatch(again, new RegExp(SECRET));
    assertEquals(server.clients, 2);
  });

  Deno.test(`T1: ${version}: a client that was refused gets nothing with the session that it has got`, async () => {
    await using folder = await Folder.make();
    const rogues = {
      "of another authority": other.client,
      "signed by itself": await makeCertificate({ subject: "client" }),
      "expired": await makeCertificate({
        subject: "client",
        issuer: authority.ca,
        from: -48,
        until: -1,
      }),
      "of a server": authority.server,
    };
    const listener = await listenTls(LOOPBACK, { cert, key, clientCaCerts: [authority.ca.cert] });
    await using server = new TextServer(listener, SECRET);
    for (const [what, certificate] of Object.entries(rogues)) {
      const shown = await folder.certificate("rogue", certificate);
      const session = `${folder.path}/session`;
      const first = await visit(listener, version, ...shown, "-sess_out", session);
      assert(!first.includes(SECRET), what);
      for (let i = 0; i < 2; i++) {
        const hasSession = await Deno.stat(session).then(() => true, () => false);
        const resuming = hasSession ? ["-sess_in", session, "-sess_out", session] : [];
        const again = await visit(listener, version, ...shown, ...resuming);
        assert(!again.includes(SECRET), what);
        const bare = await visit(listener, version, ...resuming);
        assert(!bare.includes(SECRET), what);
      }
      const many = await visit(listener, version, ...shown, "-reconnect");
      assert(!many.includes(SECRET), what);
      await Deno.remove(session).catch(() => {});
    }
    assertEquals(server.clients, 0);
  });

  Deno.test(`T1: ${version}: a session of another server of the process gets a client nothing`, async () => {
    await using folder = await Folder.make();
    const demanding = await listenTls(LOOPBACK, { cert, key, clientCaCerts: [authority.ca.cert] });
    const open = await listenTls(LOOPBACK, { cert, key });
    const foreign = await listenTls(LOOPBACK, { cert, key, clientCaCerts: [other.ca.cert] });
    await using server = new TextServer(demanding, SECRET);
    await using openServer = new TextServer(open, PUBLIC);
    await using foreignServer = new TextServer(foreign, PUBLIC);
    const session = `${folder.path}/session`;
    assertMatch(await visit(open, version, "-sess_out", session), new RegExp(PUBLIC));
    const bare = await visit(demanding, version, "-sess_in", session);
    assert(!bare.includes(SECRET));

    const shown = await folder.certificate("foreign", other.client);
    assertMatch(await visit(foreign, version, ...shown, "-sess_out", session), new RegExp(PUBLIC));
    for (const certificate of [shown, []]) {
      const answer = await visit(demanding, version, ...certificate, "-sess_in", session);
      assert(!answer.includes(SECRET));
    }
    assertEquals([server.clients, openServer.clients, foreignServer.clients], [0, 1, 1]);
  });
}

for (const version of VERSIONS) {
  Deno.test(`T1, T4: ${version}: startTls as a server looks at the certificate of each resumed session`, async () => {
    await using folder = await Folder.make();
    const demanding: TlsServerOptions = { cert, key, clientCaCerts: [authority.ca.cert] };
    const secure = (connection: Connection, options: TlsServerOptions) =>
      startTls(connection, { role: "server", ...options });
    await using server = new TextServer(
      await listen(LOOPBACK),
      SECRET,
      (connection) => secure(connection, demanding),
    );
    await using open = new TextServer(
      await listen(LOOPBACK),
      PUBLIC,
      (connection) => secure(connection, { cert, key }),
    );
    const good = await folder.certificate("good", authority.client);
    const rogue = await folder.certificate("rogue", other.client);
    const session = `${folder.path}/session`;
    for (const shown of [rogue, []]) {
      await visit(open.listener, version, ...shown, "-sess_out", session);
      const resumed = await visit(server.listener, version, ...shown, "-sess_in", session);
      assert(!resumed.includes(SECRET));
      const first = await visit(server.listener, version, ...shown, "-sess_out", session);
      assert(!first.includes(SECRET));
      const again = await visit(server.listener, version, ...shown, "-sess_in", session);
      assert(!again.includes(SECRET));
    }
    assertEquals(server.clients, 0);
    const first = await visit(server.listener, version, ...good, "-sess_out", session);
    assertMatch(first, new RegExp(SECRET));
    const again = await visit(server.listener, version, ...good, "-sess_in", session);
    assertMatch(again, /Reused, /);
    assertMatch(again, new RegExp(SECRET));
  });
}

Deno.test("T1: ciphers that prove or hide nothing get a client nothing", async () => {
  await using _folder = await Folder.make();
  await using server = new TextServer(await listenTls(LOOPBACK, { cert, key }), PUBLIC);
  for (const ciphers of ["NULL", "aNULL", "RC4:3DES", "kRSA", "SHA1:!AEAD", "PSK"]) {
    const answer = await visit(server.listener, "-tls1_2", "-cipher", `${ciphers}:@SECLEVEL=0`);
    assert(!answer.includes(PUBLIC), ciphers);
  }
  assertEquals(server.clients, 0);
});

Deno.test("T1: TLS 1.0 and TLS 1.1 get a client nothing", async () => {
  await using _folder = await Folder.make();
  const listener = await listenTls(LOOPBACK, { cert, key });
  await using server = new TextServer(listener, PUBLIC);
  for (const version of ["-tls1", "-tls1_1"]) {
    const answer = await visit(listener, version, "-cipher", "ALL:@SECLEVEL=0");
    assert(!answer.includes(PUBLIC), version);
  }
  assertEquals(server.clients, 0);
});
