import { SocketError } from "../errors.ts";
import { readClientHello } from "./client_hello.ts";
import { type EstablishedTls, type Handshake, makeInfo, type TlsGround } from "./handshake.ts";
import { type OwnCertificate, readOwnCertificate, type ServerSettings } from "./options.ts";
import { type Certificates, checkOwnCertificate, serverContext } from "./own_certificates.ts";
import { checkPeer, TrustStore } from "./peer_check.ts";

/** The part of the platform that speaks TLS. It is loaded when a server begins. */
type TlsEngine = typeof import("../runtime/node_tls.ts");

/** All that the handshakes of one server share. */
export class TlsServer {
  readonly operation: string;
  readonly settings: ServerSettings;
  readonly engine: TlsEngine;
  readonly platform: Certificates;
  /** The authorities of clients; undefined if clients show no certificates. */
  readonly clientTrust: TrustStore | undefined;

  private constructor(
    operation: string,
    settings: ServerSettings,
    engine: TlsEngine,
    platform: Certificates,
  ) {
    this.operation = operation;
    this.settings = settings;
    this.engine = engine;
    this.platform = platform;
    const { clientAuthorities } = settings;
    this.clientTrust = clientAuthorities && new TrustStore(clientAuthorities.certificates);
  }

  /** Loads the platform's part, and checks the key. Rejects `InvalidInput`. */
  static async load(operation: string, settings: ServerSettings): Promise<TlsServer> {
    const [engine, platform] = await Promise.all([
      import("../runtime/node_tls.ts"),
      import("../runtime/node_certificates.ts"),
    ]);
    checkOwnCertificate(operation, settings.certificate, platform);
    return new TlsServer(operation, settings, engine, platform);
  }
}

/** The handshake of a server with one client. */
export class ServerHandshake implements Handshake {
  readonly isRepeated = false;
  readonly #server: TlsServer;
  readonly #ground: TlsGround;
  #closeable: { close(): void };
  #givenUp = false;

  constructor(server: TlsServer, ground: TlsGround) {
    this.#server = server;
    this.#ground = ground;
    this.#closeable = ground.transport;
  }

  giveUp(): void {
    this.#givenUp = true;
    this.#close();
  }

  async run(): Promise<EstablishedTls> {
    const { operation, settings, engine, platform, clientTrust } = this.#server;
    const { transport, readsForever } = this.#ground;
    try {
      const { bytes, serverName } = await readClientHello(transport, operation);
      const certificate = await this.#certificateFor(serverName);
      if (this.#givenUp) throw new SocketError("Closed", operation, "the handshake was given up");
      const tls = this.#closeable = new engine.NodeTls(transport, [bytes], {
        role: "server",
        context: serverContext(certificate, settings.clientAuthorities, platform),
        host: undefined,
        serverName,
        alpnProtocols: settings.alpnProtocols,
        requestsCertificate: clientTrust !== undefined,
        readsForever,
      });
      try {
        const session = await tls.waitHandshake();
        if (clientTrust !== undefined) {
          await checkPeer(operation, session, {
            use: "client",
            host: undefined,
            trust: clientTrust,
            platform,
          });
        }
        const { protocol, cipher, alpnProtocol, chain } = session;
        const peerCertificate = clientTrust === undefined ? undefined : chain[0];
        const info = makeInfo({ protocol, cipher, alpnProtocol, serverName, peerCertificate });
        return { transport: tls, info, largestRead: undefined };
      } catch (error) {
        await tls.fail();
        throw error;
      }
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** Finds the certificate for a name: that of the options, or what the program's function says. */
  async #certificateFor(serverName: string | undefined): Promise<OwnCertificate> {
    const { operation, settings, platform } = this.#server;
    const { certificate, certificateFor } = settings;
    if (serverName === undefined || certificateFor === undefined) return certificate;
    try {
      const given = await certificateFor(serverName);
      if (given === undefined) return certificate;
      const chosen = readOwnCertificate(operation, given);
      checkOwnCertificate(operation, chosen, platform);
      return chosen;
    } catch (error) {
      const reason = `certificateFor gave no certificate for ${serverName}`;
      throw new SocketError("Other", operation, reason, { cause: error });
    }
  }

  #close(): void {
    try {
      this.#closeable.close();
    } catch {
      // It is closed already.
    }
  }
}
