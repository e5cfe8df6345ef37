import { fromRuntimeAddress } from "../core/address_check.ts";
import { toSocketError } from "../core/error_mapping.ts";
import { SocketError } from "../errors.ts";
import type { Address, ReceivedProxyHeader, Transport } from "../types.ts";

/** What the two directions of a connection share: the transport, and whether it still serves. */
export class ConnectionState {
  readonly transport: Transport;
  /** Bytes that receiving calls have given. */
  bytesReceived = 0;
  /** The peer has ended its side in order. */
  peerEnded = false;
  /** This side has closed or aborted, or is about to: every further call is `Closed`. */
  closed = false;
  /** The transport itself is closed: nothing pending will bring anything. */
  dropped = false;
  /** What broke both directions, as the transport threw it; an error is made where one is seen. */
  breakage: { readonly error: unknown } | undefined;
  /** What broke the sending direction: alone where the peer is gone, but what it sent still waits. */
  sendBreakage: { readonly error: unknown } | undefined;

  /** Is told when both directions have broken. */
  sendingSide: { refuse(): void } | undefined;
  /** Is told when the peer has left; there is none unless somebody asked. */
  disconnection: { notice(): void } | undefined;

  #localAddress: Address | undefined;
  #remoteAddress: Address | undefined;
  #proxy: ReceivedProxyHeader | undefined;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  get localAddress(): Address {
    return this.#localAddress ??= fromRuntimeAddress(this.transport.localAddr);
  }

  get remoteAddress(): Address {
    return this.#remoteAddress ??= fromRuntimeAddress(this.transport.remoteAddr);
  }

  get proxy(): ReceivedProxyHeader | undefined {
    return this.#proxy;
  }

  /** Notes on whose behalf the peer connects. */
  relay(proxy: ReceivedProxyHeader): void {
    this.#proxy = proxy;
    if (proxy.source !== undefined) this.#remoteAddress = proxy.source;
  }

  /** The address for messages: nothing where the transport has none. */
  get peer(): Address | undefined {
    return this.remoteAddress.host === "" ? undefined : this.remoteAddress;
  }

  /** The error of a call on a connection that this side has closed. */
  closedError(operation: string, bytesSent?: number): SocketError {
    return new SocketError("Closed", operation, "the connection is closed on this side", {
      address: this.peer,
      bytesSent,
    });
  }

  /** Notes the peer's end of stream. */
  endReceiving(): void {
    this.peerEnded = true;
    this.disconnection?.notice();
  }

  /** Notes what the transport failed with while receiving: it is broken in both directions. */
  breakReceiving(error: unknown): void {
    this.breakage ??= { error };
    this.sendingSide?.refuse();
    this.disconnection?.notice();
  }

  /**
   * Notes what the transport failed with while sending. EPIPE says only that the peer takes nothing
   * more: what it sent before, and its end of stream, can still be read.
   */
  breakSending(error: unknown): void {
    if (toSocketError(error, "send").kind !== "BrokenPipe") this.breakReceiving(error);
    this.sendBreakage ??= this.breakage ?? { error };
    this.disconnection?.notice();
  }

  /** Whether there is nothing more to receive, in order or not. */
  get readEnded(): boolean {
    return this.peerEnded || this.breakage !== undefined;
  }

  /** A breakage as the error of the call that meets it: broken stays broken. */
  brokenError(breakage: { error: unknown }, operation: string, bytesSent?: number): SocketError {
    const context = { address: this.peer, bytesSent, retryable: false } as const;
    return toSocketError(breakage.error, operation, context);
  }
}
