import { ipFamily, withoutZone } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import { startDenoTls } from "../runtime/deno_tls.ts";
import { indirectReason, isNewServer, noteServer, suitsRuntime } from "./engine_choice.ts";
import { type EstablishedTls, type Handshake, makeInfo, type TlsGround } from "./handshake.ts";
import { checkPeer, rejected } from "./peer_check.ts";
import type { ClientSettings } from "./options.ts";
import { clientContext, clientTrust } from "./own_certificates.ts";
import { serverProblem } from "./trust.ts";

/** The content of a TLS record (RFC 8446, 5.1), which is what a read of the runtime's own TLS brings at most. */
const LARGEST_RECORD_BYTES = 16 * 1024;
/** The runtime's own TLS does not tell which of the two it speaks, and speaks no other. */
const SOME_PROTOCOL = "TLSv1.2 or TLSv1.3";

/** The engines of a client: the runtime's own TLS if that can do it, or the other one in any case. */
export type EngineChoice = "any" | "repeatable" | "not the runtime's";

/**
 * The handshake of a client. The runtime's own TLS does it over a TCP connection of the runtime; it is twice as fast, and
 * can do nothing else.
 */
export class ClientHandshake implements Handshake {
  isRepeated = false;
  readonly #operation: string;
  readonly #ground: TlsGround;
  readonly #settings: ClientSettings;
  readonly #choice: EngineChoice;
  #closeable: { close(): void };
  #givenUp = false;

  /** @param choice "repeatable" if the caller connects again if `isRepeated` is true afterwards. */
  constructor(
    operation: string,
    ground: TlsGround,
    settings: ClientSettings,
    choice: EngineChoice,
  ) {
    this.#operation = operation;
    this.#ground = ground;
    this.#settings = settings;
    this.#choice = choice;
    this.#closeable = ground.transport;
  }

  run(): Promise<EstablishedTls> {
    const choice = this.#choice;
    const onRuntime = choice !== "not the runtime's" &&
      suitsRuntime(this.#ground, this.#settings, choice === "repeatable");
    return onRuntime ? this.#runOnRuntime() : this.#runOnEngine();
  }

  giveUp(): void {
    this.#givenUp = true;
    closeQuietly(this.#closeable);
  }

  async #runOnRuntime(): Promise<EstablishedTls> {
    const { host, authorities, alpnProtocols } = this.#settings;
    const session = await startDenoTls(this.#ground.transport, {
      host: withoutZone(host),
      authorities: authorities?.pem ?? [],
      alpnProtocols,
    });
    this.#closeable = session.transport;
    try {
      this.#checkGoesOn();
      const { alpnProtocol, certificate } = await session.waitHandshake();
      this.#checkGoesOn();
      await this.#checkRuntimePeer(certificate);
      this.#checkGoesOn();
      const info = makeInfo({
        protocol: SOME_PROTOCOL,
        cipher: undefined,
        alpnProtocol,
        serverName: serverNameOf(host),
        peerCertificate: certificate,
      });
      return { transport: session.transport, info, largestRead: LARGEST_RECORD_BYTES };
    } catch (error) {
      closeQuietly(session.transport);
      throw error;
    }
  }

  /** Throws unless this package trusts a server that the runtime trusts. */
  async #checkRuntimePeer(certificate: Uint8Array | undefined): Promise<void> {
    const { host, authorities } = this.#settings;
    if (authorities === undefined) {
      // Public authorities are in between, which the runtime does not show.
      const problem = certificate === undefined ? undefined : serverProblem(certificate, host);
      if (problem !== undefined) throw rejected(this.#operation, problem);
      return;
    }
    const platform = await import("../runtime/node_certificates.ts");
    const reason = certificate === undefined
      ? "the runtime does not show it"
      : await indirectReason(certificate, this.#settings, platform);
    noteServer(this.#settings, reason === undefined);
    if (reason === undefined) return;
    // Only the other engine shows all that the server has sent.
    this.isRepeated = this.#choice === "repeatable";
    const words = `${reason}, as an authority in caCerts had before: connect again, and all that ` +
      "comes with it is looked at";
    throw rejected(this.#operation, this.isRepeated ? reason : words);
  }

  async #runOnEngine(): Promise<EstablishedTls> {
    const { host, authorities, certificate, alpnProtocols } = this.#settings;
    const [tls, platform] = await Promise.all([
      import("../runtime/node_tls.ts"),
      import("../runtime/node_certificates.ts"),
    ]);
    this.#checkGoesOn();
    const engine = new tls.NodeTls(this.#ground.transport, [], {
      readsForever: this.#ground.readsForever,
      role: "client",
      context: clientContext(certificate, authorities, platform),
      host: withoutZone(host),
      serverName: serverNameOf(host),
      alpnProtocols,
      requestsCertificate: false,
    });
    this.#closeable = engine;
    try {
      const session = await engine.waitHandshake();
      await checkPeer(this.#operation, session, {
        use: "server",
        host,
        trust: clientTrust(certificate, authorities, platform),
        platform,
      });
      const { protocol, cipher, alpnProtocol, serverName, chain: [peerCertificate] } = session;
      if (isNewServer(this.#settings)) {
        const reason = await indirectReason(peerCertificate, this.#settings, platform);
        noteServer(this.#settings, reason === undefined);
      }
      const info = makeInfo({ protocol, cipher, alpnProtocol, serverName, peerCertificate });
      return { transport: engine, info, largestRead: undefined };
    } catch (error) {
      await engine.fail();
      throw error;
    }
  }

  #checkGoesOn(): void {
    if (!this.#givenUp) return;
    closeQuietly(this.#closeable);
    throw new SocketError("Aborted", this.#operation, "the handshake was given up");
  }
}

/** Returns the name that a server is asked for: an IP address is none (RFC 6066, 3). */
function serverNameOf(host: string): string | undefined {
  return ipFamily(host) === 0 ? host.replace(/\.$/, "").toLowerCase() : undefined;
}

function closeQuietly(closeable: { close(): void }): void {
  try {
    closeable.close();
  } catch {
    // It is closed already, or the runtime's TLS has taken it over.
  }
}
